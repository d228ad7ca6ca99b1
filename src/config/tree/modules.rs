//! `LoadModule` and `MPM`: which directives the rest of the text may use.

use super::{Fault, Node, Reader};
use crate::config::diagnostic::{Phase, Severity};
use crate::config::model::MPM_NAMES;
use crate::config::{modules, suggest};

impl Reader<'_> {
    pub(super) fn load_module(&mut self, node: &Node) -> Result<(), Fault> {
        let words = node.words();
        let [identifier, _path] = words.as_slice() else {
            return Err(Fault::new(
                "LoadModule takes two arguments, a module's identifier and the file it is in",
            ));
        };
        let Some(known) = modules::find(&identifier.text) else {
            let stems = modules::MODULES
                .iter()
                .map(|module| module.identifier.trim_end_matches("_module"));
            let near = suggest::nearest(identifier.text.trim_end_matches("_module"), stems);
            let mut warning = node.diagnostic(
                &self.sources,
                Severity::Warning,
                Phase::Read,
                Some(identifier.range.clone()),
            );
            warning.message = format!(
                "module {} is not known here; its directives will not be understood",
                identifier.text
            );
            warning.hints.push(match near {
                Some(near) => format!("did you mean `{near}_module`?"),
                None => {
                    "remove the line, and what belongs to the module; what there is, is compiled in"
                        .to_owned()
                }
            });
            self.diagnostics.push(warning);
            self.modules.loaded.push(identifier.text.clone());
            self.met_load_module = true;
            return Ok(());
        };
        let is_mpm = matches!(known.kind, modules::Kind::Mpm(_));
        self.met_load_module |= !is_mpm;
        if let modules::Kind::Mpm(mpm) = known.kind {
            if self
                .modules
                .chosen_mpm()
                .is_some_and(|chosen| chosen != mpm)
            {
                return Err(Fault::new("More than one MPM loaded.").on(identifier.range.clone()));
            }
            self.mpm.set(mpm, &node.place);
        }
        // Loading what is always there is harmless; in httpd it depends on how the server was compiled.
        let met_for_the_first_time =
            known.kind == modules::Kind::Static || !(self.modules.explicit || is_mpm);
        if self.modules.has(known.identifier) && !met_for_the_first_time {
            let mut warning = node.diagnostic(
                &self.sources,
                Severity::Warning,
                Phase::Read,
                Some(identifier.range.clone()),
            );
            warning.message = format!(
                "AH01574: module {} is already loaded, skipping",
                known.identifier
            );
            self.diagnostics.push(warning);
        } else if !self.modules.has(known.identifier) {
            self.modules.loaded.push(known.identifier.to_owned());
        }
        Ok(())
    }

    pub(super) fn choose_mpm(&mut self, node: &Node) -> Result<(), Fault> {
        let words = node.words();
        let [name] = words.as_slice() else {
            return Err(Fault::new(
                "MPM takes one argument, prefork, worker or event",
            ));
        };
        let Some((_, mpm)) = MPM_NAMES
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name.text))
        else {
            return Err(
                Fault::new("MPM must be one of: prefork | worker | event").on(name.range.clone())
            );
        };
        if self
            .modules
            .chosen_mpm()
            .is_some_and(|chosen| chosen != mpm)
        {
            return Err(Fault::new("More than one MPM loaded.").on(name.range.clone()));
        }
        self.mpm.set(mpm, &node.place);
        if !self.modules.has(mpm.identifier()) {
            self.modules.loaded.push(mpm.identifier().to_owned());
        }
        Ok(())
    }
}
