//! A real nginx as a server, where one is installed.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{PATIENCE, eventually_some};

/// How often another port is tried when somebody else has taken the one that was free.
const TRIES: usize = 5;

pub(crate) struct Nginx {
    process: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Nginx {
    /// One that serves these files; none, with a line of why, where it is not installed.
    pub(crate) fn serving(files: &[(&str, &[u8])]) -> Option<Self> {
        let installed = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
        if installed.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            eprintln!("skipped: nginx is not installed");
            return None;
        }
        let started = (0..TRIES).find_map(|_| Self::try_start(files));
        Some(started.expect("nginx finds a port"))
    }

    fn try_start(files: &[(&str, &[u8])]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let address =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let root = directory.path().join("www");
        fs::create_dir(&root).expect("a directory of files");
        for (name, bytes) in files {
            fs::write(root.join(name), bytes).expect("a file");
        }
        let conf = directory.path().join("nginx.conf");
        fs::write(&conf, configuration(directory.path(), address)).expect("a configuration");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(directory.path()).arg("-c").arg(&conf);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut nginx = Self { process: command.spawn().expect("nginx starts"), address, directory };
        eventually_some(PATIENCE, "nginx listens, or ends", || {
            if let Ok(Some(_)) = nginx.process.try_wait() {
                return Some(false);
            }
            TcpStream::connect(address).is_ok().then_some(true)
        })
        .then_some(nginx)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked: its connection's number, the status and the request of each.
    pub(crate) fn log(&self) -> Vec<(u64, u16, String)> {
        let text = fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default();
        let read = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let connection = words.next()?.parse().ok()?;
            Some((connection, words.next()?.parse().ok()?, words.next()?.to_owned()))
        };
        text.lines().filter_map(read).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One process that writes nowhere else; what is below `/brief` lasts for a second.
fn configuration(directory: &Path, address: SocketAddr) -> String {
    let directory = directory.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {directory}/{what};\n"))
        .collect();
    format!(
        "daemon off; master_process off; user root;\n\
         pid {directory}/pid; error_log {directory}/error.log;\n\
         events {{}}\n\
         http {{\n{temporary}\
         log_format short '$connection $status $request';\n\
         access_log {directory}/access.log short;\n\
         gzip on; gzip_vary on; gzip_min_length 1; gzip_http_version 1.1; gzip_proxied any;\n\
         server {{\n  listen {address};\n  root {directory}/www;\n\
         location /brief {{ add_header Cache-Control 'max-age=1'; }}\n}}\n}}\n"
    )
}
