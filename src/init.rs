//! `pegloom init`: a commented settings file to begin with.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use runtime::{
    exit::{self, Exit, Failure},
    settings,
};

const EXAMPLES: &str = "\
Examples:
  Write it, change the addresses in it, and see what it means:
    pegloom init replicate --output pegloom.toml
    pegloom check --config pegloom.toml

  Look at it first:
    pegloom init replicate | less

  A proxy for the Foo protocol:
    pegloom init foo --output foo.toml
    pegloom up --config foo.toml --http 127.0.0.1:8088

  A cache in front of three web servers:
    pegloom init http --output http.toml
    pegloom up --config http.toml";

/// Write a commented settings file with every default
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What the file is for
    #[arg(value_enum, value_name = "KIND")]
    kind: Kind,

    /// Write to this file, which must not be there yet, instead of stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// One source, every destination gets it, the primary answers
    Replicate,
    /// A proxy for the Foo protocol, which counts its messages
    Foo,
    /// A reverse proxy for HTTP with a cache, in front of several servers
    Http,
}

impl Kind {
    fn template(self) -> &'static str {
        match self {
            Self::Replicate => settings::template_replicate(),
            Self::Foo => settings::template_foo(),
            Self::Http => settings::template_http(),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let template = args.kind.template();
    match &args.output {
        None => exit::print(template)?,
        Some(path) => {
            write(path, template)?;
            let file = path.display();
            exit::print(&format!("wrote {file}; see what it means: pegloom check --config {file}\n"))?;
        }
    }
    Ok(Exit::Clean)
}

fn write(path: &Path, template: &str) -> Result<(), Failure> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(template.as_bytes()));
    written.map_err(|error| {
        let advice = if error.kind() == io::ErrorKind::AlreadyExists {
            "another name; a file that is there is never overwritten"
        } else {
            "a folder that is there, may be written to and has room"
        };
        Failure::cannot(format!("write {}", path.display()), error, advice)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_new_file_gets_the_template_and_an_old_one_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pegloom.toml");

        write(&path, "first").unwrap();
        let refused = write(&path, "second").unwrap_err().to_string();

        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert!(refused.contains("pegloom.toml: file exists\n  try: another name"), "{refused}");
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named_with_the_cause() {
        let directory = tempfile::tempdir().unwrap();

        let refused = write(&directory.path().join("none/pegloom.toml"), "").unwrap_err().to_string();

        assert!(refused.contains("none/pegloom.toml: no such file or directory\n"), "{refused}");
    }
}
