//! nginx in one process and with the buffers it has by default: its stream module, or `http` with one server. What it
//! wants to write goes to a folder of its own, which goes when it goes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{Protocol, Replies, Running, locate, ports};
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
        format!("nginx {}, one process", self.version)
    }

    pub(crate) fn start(&self, protocol: Protocol, forward: SocketAddr) -> Result<Running> {
        ports::with_free_port("nginx", |address| self.try_start(protocol, address, forward))
    }

    fn try_start(&self, protocol: Protocol, address: SocketAddr, forward: SocketAddr) -> Result<Running> {
        let folder = tempfile::tempdir().context("cannot make a folder for nginx")?;
        let settings = self.settings(folder.path(), protocol, address, forward);
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

    fn settings(&self, folder: &Path, protocol: Protocol, listen: SocketAddr, forward: SocketAddr) -> String {
        let (module, service) = match protocol {
            Protocol::Http(replies) => (String::new(), http(folder, replies, listen, forward)),
            _ => (self.load_module(), stream(listen, forward)),
        };
        // A master would leave its worker behind if it were killed with the bench.
        format!(
            "{module}daemon off;\nmaster_process off;\npid {}/nginx.pid;\nerror_log stderr warn;\n\
             events {{ worker_connections 16384; }}\n{service}",
            folder.display()
        )
    }

    fn load_module(&self) -> String {
        let module = self.module.as_deref().map(Path::display);
        module.map_or_else(String::new, |module| format!("load_module {module};\n"))
    }
}

fn stream(listen: SocketAddr, forward: SocketAddr) -> String {
    format!("stream {{\n    server {{ listen {listen}; proxy_pass {forward}; tcp_nodelay on; }}\n}}\n")
}

/// As Debian has it, without a log; a connection to the server is kept, and nothing is ended after so many requests.
fn http(folder: &Path, replies: Replies, listen: SocketAddr, forward: SocketAddr) -> String {
    let folder = folder.display();
    let (zone, handling) = match replies {
        Replies::Kept => (
            format!("    proxy_cache_path {folder}/cache keys_zone=bench:16m inactive=1h;\n"),
            "proxy_cache bench; proxy_cache_valid 1h;",
        ),
        Replies::Passed => (String::new(), "proxy_buffering off;"),
        // What it does not collect on disk is waited for.
        Replies::Buffered => (String::new(), "proxy_buffering on; proxy_max_temp_file_size 0;"),
    };
    let endless = u32::MAX / 2;
    format!(
        "http {{\n    access_log off; sendfile on; tcp_nopush on; keepalive_requests {endless};\n{zone}    \
         upstream server {{ server {forward}; keepalive 64; keepalive_requests {endless}; }}\n    \
         server {{\n        listen {listen};\n        location / {{\n            \
         proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection \"\";\n            \
         {handling}\n        }}\n    }}\n    \
         client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n    \
         uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n}}\n"
    )
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
