//! The recipe that runs: its files, its two servers, and ours in their place.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::Duration;

use crate::harness::client::Client;
use crate::harness::{Tidegate, tidegate, up};

/// The two files, and what they name.
pub(crate) struct Recipe {
    pub(crate) dir: PathBuf,
    port: u16,
    _made: Tidegate,
}

impl Recipe {
    pub(crate) fn new() -> Self {
        let mut made = up().start();
        made.stop();
        let dir = made.dir.clone();
        let at = |path: &str| dir.join(path).display().to_string();
        let (port, behind) = (free_port(), free_port());
        let nginx = format!(
            r#"user root;
pid {pid};
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {temp};
  proxy_temp_path {temp};
  upstream docker-registry {{ server 127.0.0.1:{behind}; }}
  map $upstream_http_docker_distribution_api_version $docker_distribution_api_version {{
    '' 'registry/2.0';
  }}
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name registry.example 127.0.0.1;
    ssl_certificate certs/site.crt;
    ssl_certificate_key certs/site.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:SSL:10m;
    client_max_body_size 0;
    chunked_transfer_encoding on;
    location /v2/ {{
      if ($http_user_agent ~ "^(docker\/1\.(3|4|5(?!\.[0-9]-dev))|Go ).*$" ) {{
        return 404;
      }}
      auth_basic "Registry realm";
      auth_basic_user_file auth/htpasswd;
      add_header 'Docker-Distribution-Api-Version' $docker_distribution_api_version always;
      add_header X-Site recipe;
      proxy_pass http://docker-registry;
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 900;
    }}
    location /closed/ {{ deny all; return 200; }}
    location = /moved {{ return 301 https://$host/v2/; }}
    location = /said {{ return 200 "here I am\n"; }}
    location = /limited {{ client_max_body_size 10; return 405; }}
    location / {{ return 404; }}
  }}
}}
"#,
            pid = at("nginx.pid"),
            temp = at("temp"),
        );
        fs_err::write(dir.join("nginx.conf"), nginx).unwrap();
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
             http:\n  addr: 127.0.0.1:{behind}\n  headers:\n    X-Content-Type-Options: [nosniff]\n",
            at("registry")
        );
        fs_err::write(dir.join("config.yml"), config).unwrap();
        Self {
            dir,
            port,
            _made: made,
        }
    }

    pub(crate) fn docker_registry(&self) -> Process {
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(self.dir.join("config.yml"));
        Process::of(command)
    }

    /// nginx with its files, ready.
    pub(crate) fn nginx(&self) -> Process {
        let mut command = Command::new("nginx");
        command.args(["-g", "daemon off;", "-p"]).arg(&self.dir);
        command.arg("-c").arg(self.dir.join("nginx.conf"));
        let process = Process::of(command);
        for _ in 0..200 {
            if std::net::TcpStream::connect(self.address()).is_ok() {
                return process;
            }
            park_timeout(Duration::from_millis(50));
        }
        panic!("nginx does not listen at {}", self.address());
    }

    pub(crate) fn inputs(&self) -> [String; 4] {
        let at = |name: &str| self.dir.join(name).display().to_string();
        let [nginx, registry] = ["--nginx-conf", "--registry-config"].map(str::to_owned);
        [nginx, at("nginx.conf"), registry, at("config.yml")]
    }

    pub(crate) fn tidegate(&self, args: &[String]) -> Tidegate {
        let mut command = tidegate();
        command.arg("serve").args(args);
        Tidegate::launch(command, &self.dir)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(
            self.address(),
            Path::new(&self.dir.join("certs/root-ca.crt")),
        )
    }
}

/// One that nobody listens at right now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Ended when dropped.
pub(crate) struct Process(Child);

impl Process {
    fn of(mut command: Command) -> Self {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
