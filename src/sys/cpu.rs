//! Processor time used, for the scoreboard's process records and the status page, and how loaded the machine is.
//!
//! Responsible for: reading it. Not responsible for: rates, or when to read.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::sysinfo::sysinfo;
use nix::sys::time::TimeVal;

/// Processor time in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cpu {
    /// In user mode.
    pub user_us: u64,
    /// In the kernel on our behalf.
    pub system_us: u64,
}

/// What this process has used so far, all threads together.
#[must_use]
pub fn this_process() -> Cpu {
    read(UsageWho::RUSAGE_SELF)
}

/// What this process's ended and reaped children had used.
#[must_use]
pub fn ended_children() -> Cpu {
    read(UsageWho::RUSAGE_CHILDREN)
}

/// The machine's load averages over 1, 5 and 15 minutes. One system call; no file is opened.
#[must_use]
pub fn load_average() -> Option<[f64; 3]> {
    let (one, five, fifteen) = sysinfo().ok()?.load_average();
    Some([one, five, fifteen])
}

fn read(who: UsageWho) -> Cpu {
    // getrusage fails only for a bad `who` or address, and nix supplies both.
    getrusage(who).map_or_else(
        |_| Cpu::default(),
        |usage| Cpu {
            user_us: micros(usage.user_time()),
            system_us: micros(usage.system_time()),
        },
    )
}

fn micros(time: TimeVal) -> u64 {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let rest = u64::try_from(time.tv_usec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_averages_are_numbers_of_waiting_processes() {
        let load = load_average().expect("every kernel keeps them");
        assert!(
            load.iter()
                .all(|&average| (0.0..100_000.0).contains(&average)),
            "{load:?}"
        );
    }

    #[test]
    fn a_running_process_has_used_some_time() {
        let before = this_process();
        let mut sum = 0u64;
        while this_process() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert_ne!(this_process(), Cpu::default());
    }
}
