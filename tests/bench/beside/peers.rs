//! The proxies under load, each configured as somebody who knows it would for this load: one core, kept connections on both sides, no
//! access log, X-Forwarded-For added.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Everything that can be measured.
pub(crate) const NAMES: [&str; 8] = [
    "tine-event",
    "tine-worker",
    "tine-prefork",
    "nginx",
    "haproxy",
    "apache2-event",
    "apache2-worker",
    "apache2-prefork",
];

/// The backend of a scenario.
#[derive(Debug)]
pub(crate) struct Scene {
    origin: Child,
    members: Vec<u16>,
}

/// A running proxy; it ends with this.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    process: Child,
    _place: TempDir,
}

impl Scene {
    /// Starts a backend with so many members, all of them one process.
    pub(crate) fn start(members: usize) -> Result<Self, String> {
        let members: Vec<u16> = (0..members)
            .map(|_| free_port())
            .collect::<Result<_, _>>()?;
        let program = std::env::current_exe()
            .map_err(|error| error.to_string())?
            .with_file_name("bench-origin");
        let mut command = pinned(LOAD_CORE, &program.to_string_lossy());
        command
            .args(members.iter().map(u16::to_string))
            .stdout(Stdio::piped());
        let mut origin = command
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut line = String::new();
        let output = origin.stdout.take().ok_or("the backend has no output")?;
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        if line.trim() == "ready" {
            Ok(Self { origin, members })
        } else {
            Err("the backend does not start".into())
        }
    }

    /// Starts a proxy in front of it, and waits until it answers.
    pub(crate) fn start_peer(&self, name: &'static str, connections: u32) -> Result<Peer, String> {
        let place = tempfile::Builder::new()
            .prefix("tine-bench-")
            .tempdir()
            .map_err(|error| error.to_string())?;
        let port = free_port()?;
        let mut command = self.command(name, place.path(), port, connections)?;
        let said =
            fs::File::create(place.path().join("said")).map_err(|error| error.to_string())?;
        let copy = said.try_clone().map_err(|error| error.to_string())?;
        let process = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(copy)
            .stderr(said)
            .spawn();
        let process = process.map_err(|error| format!("{name}: {error}"))?;
        let peer = Peer {
            name,
            port,
            process,
            _place: place,
        };
        peer.wait()?;
        Ok(peer)
    }

    fn command(
        &self,
        name: &str,
        place: &Path,
        port: u16,
        connections: u32,
    ) -> Result<Command, String> {
        let conf = place.join("proxy.conf");
        let write = |text: String| fs::write(&conf, text).map_err(|error| error.to_string());
        let conf = conf.to_string_lossy().into_owned();
        match name.split_once('-') {
            Some((program, mpm)) => {
                let is_tine = program == "tine";
                write(self.httpd(place, port, connections, mpm, !is_tine))?;
                let program = if is_tine {
                    tine()
                } else {
                    found(&["/usr/sbin/apache2", "/usr/sbin/httpd"])?
                };
                let mut command = pinned(PROXY_CORE, &program);
                command.args([
                    "-d",
                    &place.to_string_lossy(),
                    "-f",
                    &conf,
                    "-D",
                    "FOREGROUND",
                ]);
                Ok(command)
            }
            None if name == "nginx" => {
                write(self.nginx(place, port))?;
                let mut command =
                    pinned(PROXY_CORE, &found(&["/usr/sbin/nginx", "/usr/bin/nginx"])?);
                command.args(["-p", &place.to_string_lossy(), "-c", &conf]);
                Ok(command)
            }
            None => {
                write(self.haproxy(port))?;
                let mut command = pinned(
                    PROXY_CORE,
                    &found(&["/usr/sbin/haproxy", "/usr/bin/haproxy"])?,
                );
                command.args(["-db", "-f", &conf]);
                Ok(command)
            }
        }
    }

    /// The same file for tine and for apache2; only the latter needs its modules.
    fn httpd(
        &self,
        place: &Path,
        port: u16,
        connections: u32,
        mpm: &str,
        loads_all: bool,
    ) -> String {
        let mut text = format!("ServerRoot \"{}\"\n", place.display());
        let mut load = |name: &str| {
            text.push_str(&format!(
                "LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
            ))
        };
        load(&format!("mpm_{mpm}"));
        if loads_all {
            for name in [
                "authz_core",
                "slotmem_shm",
                "proxy",
                "proxy_http",
                "proxy_balancer",
                "lbmethod_byrequests",
            ] {
                load(name);
            }
        }
        let spare = connections * 2;
        text.push_str(&match mpm {
            "prefork" => format!("StartServers {spare}\nMinSpareServers 1\nMaxSpareServers {spare}\nServerLimit {spare}\nMaxRequestWorkers {spare}\n"),
            _ => format!(
                "StartServers 1\nServerLimit 1\nThreadLimit {spare}\nThreadsPerChild {spare}\nMaxRequestWorkers {spare}\n\
                 MinSpareThreads 1\nMaxSpareThreads {spare}\n"
            ),
        });
        let members: String = self
            .members
            .iter()
            .map(|member| format!("    BalancerMember http://127.0.0.1:{member}\n"))
            .collect();
        text.push_str(&format!(
            "Listen 127.0.0.1:{port}\nServerName bench.test\nDefaultRuntimeDir .\nPidFile pid\nErrorLog error_log\nLogLevel error\n\
             KeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\n<Proxy balancer://pool>\n{members}</Proxy>\nProxyPass / balancer://pool/\n"
        ));
        // Children may run as root here: nothing but the benchmark talks to them, and directories need no other owner.
        if fs::metadata("/proc/self")
            .is_ok_and(|ours| std::os::unix::fs::MetadataExt::uid(&ours) == 0)
        {
            text.push_str("User nobody\nGroup nogroup\n");
        }
        text
    }

    fn nginx(&self, place: &Path, port: u16) -> String {
        let members: String = self
            .members
            .iter()
            .map(|member| format!("        server 127.0.0.1:{member};\n"))
            .collect();
        format!(
            "daemon off;\nworker_processes 1;\npid {0}/pid;\nerror_log {0}/error_log error;\nevents {{ worker_connections 4096; }}\n\
             http {{\n    access_log off;\n    keepalive_requests 100000000;\n    client_body_temp_path {0};\n    proxy_temp_path {0};\n\
             fastcgi_temp_path {0};\n    uwsgi_temp_path {0};\n    scgi_temp_path {0};\n\
             upstream pool {{\n{members}        keepalive 256;\n        keepalive_requests 100000000;\n    }}\n\
             server {{\n        listen 127.0.0.1:{port};\n        location / {{\n            proxy_pass http://pool;\n\
             proxy_http_version 1.1;\n            proxy_set_header Connection \"\";\n            proxy_set_header Host $host;\n\
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n        }}\n    }}\n}}\n",
            place.display()
        )
    }

    fn haproxy(&self, port: u16) -> String {
        let members = self.members.iter().enumerate();
        let members: String = members
            .map(|(at, member)| format!("    server m{at} 127.0.0.1:{member}\n"))
            .collect();
        format!(
            "global\n    nbthread 1\n    maxconn 4096\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
             http-reuse always\n    option forwardfor\nfrontend front\n    bind 127.0.0.1:{port}\n    default_backend pool\n\
             backend pool\n    balance roundrobin\n{members}"
        )
    }
}

impl Peer {
    /// The pid that the process tree hangs from.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait(&self) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(20);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if Instant::now() > end {
                let said = fs::read_to_string(self._place.path().join("said")).unwrap_or_default();
                return Err(format!("it does not start: {said}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.origin.kill().ok();
        self.origin.wait().ok();
    }
}

/// Ends a process and its group.
fn end(process: &mut Child) {
    if let Ok(group) = i32::try_from(process.id()) {
        nix::sys::signal::killpg(
            nix::unistd::Pid::from_raw(group),
            nix::sys::signal::Signal::SIGKILL,
        )
        .ok();
    }
    process.wait().ok();
}

/// A program on a core of its own, where that can be had.
pub(crate) fn pinned(core: usize, program: &str) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores > 1 && Path::new("/usr/bin/taskset").exists() {
        let mut command = Command::new("/usr/bin/taskset");
        command.args(["-c", &core.to_string(), program]);
        return command;
    }
    Command::new(program)
}

fn tine() -> String {
    std::env::var("TINE").unwrap_or_else(|_| "target/release/tine".to_owned())
}

fn found(places: &[&str]) -> Result<String, String> {
    let place = places.iter().find(|place| Path::new(place).exists());
    place
        .map(|place| (*place).to_owned())
        .ok_or_else(|| "it is not installed".to_owned())
}

fn free_port() -> Result<u16, String> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    Ok(listener
        .local_addr()
        .map_err(|error| error.to_string())?
        .port())
}

const PROXY_CORE: usize = 0;
/// Where the load and the backend run.
pub(crate) const LOAD_CORE: usize = 1;
