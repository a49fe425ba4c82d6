//! nginx with its stream module, in one process and with the buffers it has by default. What it wants to write goes to
//! a folder of its own, which goes when it goes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{Running, locate, ports};
use crate::process::{self, Process, Talks};

const MODULE: &str = "ngx_stream_module.so";

pub(crate) struct Nginx {
    program: PathBuf,
    version: String,
    /// None where it was built in.
    module: Option<PathBuf>,
}

impl Nginx {
    pub(crate) fn find() -> Result<Self, String> {
        let program = locate("nginx").ok_or("nginx is not installed (Debian's package nginx has it)")?;
        let output = Command::new(&program).arg("-V").output();
        let output = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let module = stream_module(&said).ok_or("nginx was built without its stream module")?;
        if let Some(absent) = module.as_deref().filter(|module| !module.is_file()) {
            let absent = absent.display();
            return Err(format!("nginx has no {absent} (Debian's package libnginx-mod-stream has it)"));
        }
        Ok(Self { program, version: version(&said), module })
    }

    /// Its version and how it is run, for whoever reads the numbers.
    pub(crate) fn describe(&self) -> String {
        format!("nginx {}, stream, one process", self.version)
    }

    pub(crate) fn start(&self, forward: SocketAddr) -> Result<Running> {
        ports::with_free_port("nginx", |address| self.try_start(address, forward))
    }

    fn try_start(&self, address: SocketAddr, forward: SocketAddr) -> Result<Running> {
        let folder = tempfile::tempdir().context("cannot make a folder for nginx")?;
        let settings = self.settings(folder.path(), address, forward);
        let file = folder.path().join("nginx.conf");
        fs::write(&file, &settings).with_context(|| format!("cannot write {}", file.display()))?;
        let mut process = self.run(&folder, &file)?;
        ports::wait_until_it_accepts(&mut process, address)?;
        Ok(Running::new(address, format!("nginx\n{settings}"), vec![process]).with_folder(folder))
    }

    fn run(&self, folder: &TempDir, file: &Path) -> Result<Process> {
        let mut command = process::foreign(&self.program);
        command.arg("-e").arg("stderr").arg("-p").arg(folder.path()).arg("-c").arg(file);
        Process::start("nginx", &mut command, Talks::OnStderr)
    }

    fn settings(&self, folder: &Path, listen: SocketAddr, forward: SocketAddr) -> String {
        let module = self
            .module
            .as_deref()
            .map_or_else(String::new, |module| format!("load_module {};\n", module.display()));
        // A master would leave its worker behind if it were killed with the bench.
        format!(
            "{module}daemon off;\nmaster_process off;\npid {}/nginx.pid;\nerror_log stderr warn;\n\
             events {{ worker_connections 16384; }}\n\
             stream {{\n    server {{ listen {listen}; proxy_pass {forward}; tcp_nodelay on; }}\n}}\n",
            folder.display()
        )
    }
}

fn version(said: &str) -> String {
    let version = said.lines().find_map(|line| line.strip_prefix("nginx version: nginx/"));
    version.and_then(|line| line.split(' ').next()).unwrap_or("of unknown version").to_owned()
}

/// From what `nginx -V` says: where the module is, a second none if it was built in, and none if there is none.
#[allow(clippy::option_option, reason = "not there, built in, and in a file are three things")]
fn stream_module(said: &str) -> Option<Option<PathBuf>> {
    let mut options = said.split_whitespace();
    if options.clone().any(|option| option == "--with-stream") {
        return Some(None);
    }
    options.clone().find(|option| *option == "--with-stream=dynamic")?;
    let folder = options.find_map(|option| option.strip_prefix("--modules-path="))?;
    Some(Some(Path::new(folder).join(MODULE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_where_it_was_built_to_be() {
        let said =
            "nginx version: nginx/1.22.1\nconfigure arguments: --modules-path=/m --with-stream=dynamic";
        assert_eq!(version(said), "1.22.1");
        assert_eq!(stream_module(said), Some(Some("/m/ngx_stream_module.so".into())));
        assert_eq!(stream_module("configure arguments: --with-stream --with-http"), Some(None));
        assert_eq!(stream_module("configure arguments: --with-http"), None);
    }
}
