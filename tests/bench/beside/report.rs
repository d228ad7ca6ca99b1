//! Numbers for people and for programs: medians with the least and the most, and how many times a peer's cost each is.

use crate::measure::{Calls, Sample};
use serde_json::json;

/// What was measured of one proxy in one scenario.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) name: &'static str,
    pub(crate) samples: Vec<Sample>,
    pub(crate) calls: Option<Calls>,
}

/// The least, the middle and the most of some numbers.
#[derive(Debug, Clone, Copy)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Row {
    fn spread(&self, value: impl Fn(&Sample) -> f64) -> Spread {
        let mut values: Vec<f64> = self.samples.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            at(middle)
        } else {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        };
        Spread {
            min: at(0),
            median,
            max: at(values.len().saturating_sub(1)),
        }
    }

    fn errors(&self) -> u64 {
        self.samples.iter().map(|sample| sample.errors).sum()
    }
}

/// Prints a table for each scenario.
pub(crate) fn table(rows: &[Row]) {
    let mut scenario = "";
    for row in rows {
        if row.scenario != scenario {
            scenario = row.scenario;
            println!("\n{scenario}");
            println!(
                "{:<16} {:>26} {:>8} {:>8} {:>9} {:>7}  times the cost of",
                "", "CPU µs/request (min–max)", "user", "system", "req/s", "errors"
            );
        }
        let total = row.spread(Sample::total_us);
        let spread = format!("{:.1} ({:.1}–{:.1})", total.median, total.min, total.max);
        let ratios: Vec<String> = others(rows, row)
            .map(|(name, ratio)| format!("{name} {ratio:.2}"))
            .collect();
        println!(
            "{:<16} {spread:>26} {:>8.1} {:>8.1} {:>9.0} {:>7}  {}",
            row.name,
            row.spread(|sample| sample.user_us).median,
            row.spread(|sample| sample.system_us).median,
            row.spread(|sample| sample.requests_per_s).median,
            row.errors(),
            ratios.join(", ")
        );
        if let Some(calls) = &row.calls {
            let most: Vec<String> = calls
                .by_name
                .iter()
                .take(6)
                .map(|(name, count)| format!("{name} {count:.2}"))
                .collect();
            println!(
                "{:<16} {:.2} system calls per request: {}",
                "",
                calls.per_request,
                most.join(", ")
            );
        }
    }
}

/// Prints one JSON value.
pub(crate) fn json(rows: &[Row]) {
    let spread =
        |spread: Spread| json!({"median": spread.median, "min": spread.min, "max": spread.max});
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "scenario": row.scenario,
                "name": row.name,
                "rounds": row.samples.len(),
                "requests": row.samples.iter().map(|sample| sample.requests).sum::<u64>(),
                "cpu_us": spread(row.spread(Sample::total_us)),
                "user_us": spread(row.spread(|sample| sample.user_us)),
                "system_us": spread(row.spread(|sample| sample.system_us)),
                "requests_per_s": spread(row.spread(|sample| sample.requests_per_s)),
                "errors": row.errors(),
                "times": others(rows, row).map(|(name, ratio)| (name.to_owned(), json!(ratio))).collect::<serde_json::Map<_, _>>(),
                "calls_per_request": row.calls.as_ref().map(|calls| calls.per_request),
                "calls": row.calls.as_ref().map(|calls| calls.by_name.iter().map(|(name, count)| (name.clone(), json!(count))).collect::<serde_json::Map<_, _>>()),
            })
        })
        .collect();
    println!("{:#}", json!(rows));
}

/// How many times the cost of each peer of the same scenario a row is; only for tine, whose question it is.
fn others<'a>(rows: &'a [Row], row: &'a Row) -> impl Iterator<Item = (&'static str, f64)> + 'a {
    let peers = rows.iter().filter(move |peer| {
        peer.scenario == row.scenario
            && row.name.starts_with("tine")
            && !peer.name.starts_with("tine")
    });
    peers.map(move |peer| {
        (
            peer.name,
            row.spread(Sample::total_us).median / peer.spread(Sample::total_us).median,
        )
    })
}
