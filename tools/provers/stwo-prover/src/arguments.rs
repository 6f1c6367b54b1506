//! `--name value` options.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use lindero_package::Error;

/// The options of a verb; each is given at most once, and all must be used.
pub struct Arguments {
    options: BTreeMap<String, String>,
}

impl Arguments {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mut options = BTreeMap::new();
        let mut words = words.map(|word| if word == "-o" { "--output".to_string() } else { word });
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                return Err(Error::new(format!("{word:?} is not an option; options start with --")));
            };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (name, words.next()),
            };
            let value = value.ok_or_else(|| Error::new(format!("option --{name} lacks its value")))?;
            if options.insert(name.to_string(), value).is_some() {
                return Err(Error::new(format!("option --{name} is given twice")));
            }
        }
        Ok(Arguments { options })
    }

    pub fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Error> {
        let Some(value) = self.options.remove(name) else { return Ok(None) };
        let parsed = value.parse().map_err(|_| Error::new(format!("option --{name} cannot be {value:?}")))?;
        Ok(Some(parsed))
    }

    pub fn required(&mut self, name: &str) -> Result<PathBuf, Error> {
        self.optional(name)?.ok_or_else(|| Error::new(format!("option --{name} is missing")))
    }

    /// Fails if an option is left over.
    pub fn finish(self) -> Result<(), Error> {
        match self.options.keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::new(format!("option --{name} is unknown to this verb"))),
        }
    }
}
