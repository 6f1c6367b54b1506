//! `--name value` options.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use lindero_package::Error;
use lindero_prover_stwo::files;

/// The options of a verb; all must be used, and only those of [`Arguments::several`] may be given more than once.
pub struct Arguments {
    options: BTreeMap<String, Vec<String>>,
}

impl Arguments {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mut options: BTreeMap<String, Vec<String>> = BTreeMap::new();
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
            options.entry(name.to_string()).or_default().push(value);
        }
        Ok(Arguments { options })
    }

    pub fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Error> {
        let Some(values) = self.options.remove(name) else { return Ok(None) };
        let [value] = values.as_slice() else {
            return Err(Error::new(format!("option --{name} is given twice")));
        };
        let parsed = value.parse().map_err(|_| Error::new(format!("option --{name} cannot be {value:?}")))?;
        Ok(Some(parsed))
    }

    pub fn required(&mut self, name: &str) -> Result<PathBuf, Error> {
        self.optional(name)?.ok_or_else(|| missing(name))
    }

    /// What is in the file that an option names.
    pub fn content(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        files::read(&self.required(name)?)
    }

    /// The same of an option that may be missing.
    pub fn optional_content(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.optional::<PathBuf>(name)?.map(|path| files::read(&path)).transpose()
    }

    /// The values of an option that is given once or more, in order.
    #[cfg(feature = "prover")]
    pub fn several(&mut self, name: &str) -> Result<Vec<PathBuf>, Error> {
        let values = self.options.remove(name).ok_or_else(|| missing(name))?;
        Ok(values.into_iter().map(PathBuf::from).collect())
    }

    /// Fails if an option is left over.
    pub fn finish(self) -> Result<(), Error> {
        match self.options.keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::new(format!("option --{name} is unknown to this verb"))),
        }
    }
}

fn missing(name: &str) -> Error {
    Error::new(format!("option --{name} is missing"))
}
