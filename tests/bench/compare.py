"""Measures tine beside its peers. Run it as `scripts/bench`.

Responsible for: what is started, with which configuration, in which order, and what the numbers mean. Not responsible for verdicts: it
prints numbers, and says where they are not to be trusted.

Know first:

- The measure is CPU time per request of a server's whole process tree. It is read from the CPU clocks of its processes, because utime and
  stime of /proc/PID/stat are cut down to ticks of 10 ms, and each of 80 prefork children may work for less in a turn; only the time of
  children that have ended comes from there. How much of it was user time is sampled by the kernel. Requests per second follow from it only while the server is busy, which the column `busy` shows: below 90 % the client or the
  origin was the limit.
- Servers of one scenario run side by side, idle except for the one whose turn it is. Rounds go A B C A B C, so that whatever else the
  machine does meets all of them. Ratios are medians of the ratios of a round's two turns.
- Servers run on the first core, wrk on the second, the origins on the third if there is one and else on the second.
- Only processes started here are ended, by their numbers.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IDLE_CLIENTS = 2000
SLOW_CLIENTS = 1000
SLOW_SIZE = 4 << 20
SPREAD_MAX = 0.15
BUSY_MIN = 0.9
PATIENCE_S = 15
SCENARIOS = [
    {"name": "S1", "title": "keep-alive GET of 200 bytes, 64 clients, one member", "members": 1, "size": 200, "clients": 64},
    {"name": "S2", "title": "the same over three members, byrequests", "members": 3, "size": 200, "clients": 64},
    {"name": "S3", "title": "keep-alive GET of 1 MiB, 16 clients, one member", "members": 1, "size": 1 << 20, "clients": 16},
]
NAMES = [scenario["name"] for scenario in SCENARIOS]
SHAPES = ["event", "worker", "prefork"]
PEERS = ["nginx", "haproxy", "apache2-event", "apache2-worker", "apache2-prefork"]
MODULES = Path("/usr/lib/apache2/modules")
TICKS = os.sysconf("SC_CLK_TCK")
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Trouble(Exception):
    """Something that the user must do something about."""


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_open_files()
    try:
        peers = installed(options.peers)
        tine, origin = build(options)
        with tempfile.TemporaryDirectory(prefix="tine-bench-") as directory:
            os.chmod(directory, 0o755)  # a peer's children, who are not root, have files in it
            with Bench(options, Path(directory), tine, origin, peers) as bench:
                document = bench.run()
    except Trouble as trouble:
        sys.exit(f"scripts/bench: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(json.dumps(document, indent=2) if options.json else report(document))


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="CPU time per request of tine beside its peers")
    parser.add_argument("--rounds", type=positive, default=5, help="turns that every server has in a scenario (5)")
    parser.add_argument("--seconds", type=positive, default=2, help="length of a turn (2)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--shapes", type=choice(SHAPES), default=SHAPES, help=f"tine's, of {','.join(SHAPES)}")
    parser.add_argument("--peers", type=choice(PEERS), default=PEERS, help=f"of {','.join(PEERS)}; '' for none")
    parser.add_argument("--tine", metavar="PROGRAM", help="measure this program instead of building one")
    parser.add_argument("--before", metavar="PROGRAM", help="another build of tine, to be measured as `before` in event shape")
    parser.add_argument("--scenarios", type=choice(NAMES), default=NAMES, help=f"of {','.join(NAMES)}")
    return parser.parse_args()


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def choice(known):
    def parse(text):
        words = [word for word in text.split(",") if word]
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"`{word}` is none of {', '.join(known)}")
        return words

    return parse


def say(text):
    print(text, file=sys.stderr, flush=True)


def raise_open_files():
    """Idle clients and what serves them need more than the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * IDLE_CLIENTS
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


# What must be there


def installed(peers):
    """The peers that are here, after installing what is missing if we may."""
    if not need("wrk"):
        raise Trouble("wrk is not installed")
    need("strace")
    here = [peer for peer in peers if need(peer.split("-")[0])]
    for peer in peers:
        if peer not in here:
            say(f"without {peer}, which is not installed")
    return here


def need(command):
    """Whether the command is there or could be installed. Packages are called like the commands."""
    if not shutil.which(command) and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {command}")
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", command]
        if quiet(install) != 0 and quiet(["apt-get", "update", "-q"]) == 0:
            quiet(install)
    return shutil.which(command) is not None


def quiet(command):
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode


def build(options):
    """The programs of tine and of the origin."""
    parts = ["--example", "bench_origin"] if options.tine else ["--bin", "tine", "--example", "bench_origin"]
    say("building")
    command = ["cargo", "build", "--release", "--quiet", "--message-format=json", *parts]
    made = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if made.returncode != 0:
        raise Trouble("it does not build")
    programs = {"tine": options.tine and os.path.abspath(options.tine)}
    for line in made.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable"):
            programs[message["target"]["name"]] = message["executable"]
    return programs["tine"], programs["bench_origin"]


# Processes


class Process:
    """A program that was started here, with all processes that come from it."""

    def __init__(self, command, core, directory, **streams):
        self.log = directory / f"{Path(command[0]).name}-{time.monotonic_ns()}.out"
        with open(self.log, "wb") as log:
            streams = {"stdout": log, "stderr": log, **streams}
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
                **streams,
            )

    def tree(self):
        """Numbers of the processes that live, ours first."""
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (stat := stat_of(entry)):
                children.setdefault(int(stat[1]), []).append(int(entry))
        found = [self.child.pid]
        for pid in found:
            found.extend(children.get(pid, []))
        return found

    def cpu(self):
        """Seconds of the tree until now: all of them, and of those that the kernel sampled, how many there were and how many in user space."""
        total = sampled = user = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                total += process_clock(pid, CLOCK_RUN)
                sampled += process_clock(pid, CLOCK_SAMPLED)
                user += process_clock(pid, CLOCK_SAMPLED_USER)
            if stat := stat_of(pid):
                total += (int(stat[13]) + int(stat[14])) / TICKS
        return total, sampled, user

    def private_dirty_kib(self):
        """Memory that the tree does not share with anybody."""
        total = 0
        for pid in self.tree():
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Private_Dirty:\s+(\d+) kB", rollup, re.M)[1])
        return total

    def end(self):
        """Asks the first process to end the others, and ends those that are left."""
        remaining = [(pid, stat[19]) for pid in self.tree() if (stat := stat_of(pid))]
        with contextlib.suppress(ProcessLookupError):
            self.child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(PATIENCE_S)
        for pid, started in remaining:
            # The number may be somebody else's by now, the time of its start cannot.
            if (stat := stat_of(pid)) and stat[19] == started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.child.wait()


# The kinds of a process's clocks in its clock's number, see clock_getcpuclockid(3) and `CPUCLOCK_SCHED` in the kernel.
CLOCK_SAMPLED, CLOCK_SAMPLED_USER, CLOCK_RUN = 0, 1, 2


def process_clock(pid, kind):
    """CPU seconds of all threads of a process, in nanoseconds' resolution."""
    return time.clock_gettime((~pid << 3) | kind)


def stat_of(pid):
    """The fields of /proc/PID/stat from the third on, or None when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def until(what, condition):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise Trouble(f"waited in vain: {what}")


def settled(measure):
    """The value once it has stopped growing for half a second."""
    value, since = measure(), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        now = measure()
        if now > value:
            value, since = now, time.monotonic()
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Servers and their configurations


class Server:
    """A proxy that answers, in front of the given origins."""

    def __init__(self, bench, name, origins):
        self.name = name
        for attempt in range(3):
            # Somebody may take the port between our look and the server's.
            self.port = free_port()
            home = Path(tempfile.mkdtemp(prefix=f"{name.replace(' ', '-')}-", dir=bench.directory))
            home.chmod(0o755)
            program, configuration = CONFIGURATIONS[name.split("-")[0].split(" ")[0]](bench, name, home, self.port, origins)
            (home / "conf").write_text(configuration)
            self.process = Process(program, bench.cores[0], home)
            bench.running.append(self.process)
            if self.answers():
                return
            bench.running.remove(self.process)
            self.process.end()
        said = "".join(path.read_text(errors="replace") for path in (self.process.log, home / "error") if path.exists())
        raise Trouble(f"{name} does not answer a request: {said.strip()[-1000:]}")

    def answers(self):
        """Whether it answers as the origin does, once it has had time to start."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.process.child.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(REQUEST)
                return receive(client).startswith(b"HTTP/1.1 200 ")
            time.sleep(0.02)
        return False


def receive(client):
    """One answer of the origin's."""
    answer = b""
    while len(answer.partition(b"\r\n\r\n")[2]) < 200:
        piece = client.recv(65536)
        if not piece:
            break
        answer += piece
    return answer


# Sizes for 64 clients, all children there from the start. MaxSpare… keeps them there.
SIZES = {
    "worker": "StartServers 2\nServerLimit 2\nThreadsPerChild 64\nMaxRequestWorkers 128\nMaxSpareThreads 128\n",
    "prefork": "StartServers 80\nServerLimit 80\nMaxRequestWorkers 80\nMinSpareServers 1\nMaxSpareServers 80\n",
}
TINE_EVENT = "StartServers 1\nServerLimit 1\nThreadLimit 1000\nThreadsPerChild 1000\nMaxRequestWorkers 1000\n"
APACHE_EVENT = "StartServers 1\nServerLimit 1\nThreadLimit 128\nThreadsPerChild 128\nMaxRequestWorkers 128\nMaxSpareThreads 128\n"


def httpd(home, port, origins):
    """What tine and apache2 are told alike."""
    text = f"Listen 127.0.0.1:{port}\nServerName localhost\nPidFile {home}/pid\nErrorLog {home}/error\n"
    text += "KeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout 300\n"
    if os.geteuid() == 0:
        text += "User #65534\nGroup #65534\n"
    if len(origins) == 1:
        return text + f"ProxyPass / http://{origins[0]}/\n"
    members = "".join(f"    BalancerMember http://{origin}\n" for origin in origins)
    text += f"<Proxy balancer://app>\n{members}    ProxySet lbmethod=byrequests\n</Proxy>\n"
    return text + "ProxyPass / balancer://app/\n"


def tine(bench, name, home, port, origins):
    shape = "event" if name == "before" else name.split(" ")[1]
    program = bench.before if name == "before" else bench.tine
    text = f"ServerRoot {home}\nMPM {shape}\nScoreBoardFile {home}/board\n"
    text += SIZES.get(shape, TINE_EVENT) + httpd(home, port, origins)
    return [program, "-f", f"{home}/conf", "-D", "FOREGROUND"], text


def apache2(_bench, name, home, port, origins):
    shape = name.split("-")[1]
    modules = [f"mpm_{shape}", "authz_core", "proxy", "proxy_http"]
    if len(origins) > 1:
        modules += ["proxy_balancer", "slotmem_shm", "lbmethod_byrequests"]
    text = f"ServerRoot {home}\nDefaultRuntimeDir {home}\n"
    text += "".join(f"LoadModule {module}_module {MODULES}/mod_{module}.so\n" for module in modules)
    text += SIZES.get(shape, APACHE_EVENT) + httpd(home, port, origins)
    return ["apache2", "-f", f"{home}/conf", "-D", "FOREGROUND"], text


def nginx(_bench, _name, home, port, origins):
    places = "\n".join(
        f"    {kind}_temp_path {home}/{kind};" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    )
    members = "\n".join(f"        server {origin};" for origin in origins)
    text = f"""daemon off;
worker_processes 1;
pid {home}/pid;
error_log {home}/error;
events {{ worker_connections 8192; }}
http {{
{places}
    access_log off;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    proxy_max_temp_file_size 0;
    upstream app {{
{members}
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""
    return ["nginx", "-p", str(home), "-c", f"{home}/conf", "-e", f"{home}/error"], text


def haproxy(_bench, _name, home, port, origins):
    members = "\n".join(f"    server app{number} {origin}" for number, origin in enumerate(origins))
    text = f"""global
    nbthread 1
    maxconn 3000
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 60s
    timeout http-keep-alive 300s
    option forwardfor
    http-reuse always
frontend in
    bind 127.0.0.1:{port}
    default_backend app
backend app
    balance roundrobin
{members}
"""
    return ["haproxy", "-db", "-f", f"{home}/conf"], text


CONFIGURATIONS = {"tine": tine, "before": tine, "apache2": apache2, "nginx": nginx, "haproxy": haproxy}


# Measuring

# wrk's own account, in numbers with known units.
WRK_SCRIPT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"""



class Bench:
    """One run: its directory, cores and running processes."""

    def __init__(self, options, directory, tine, origin, peers):
        self.options = options
        self.directory = directory
        self.tine = tine
        self.before = options.before and os.path.abspath(options.before)
        self.names = [f"tine {shape}" for shape in options.shapes] + (["before"] if self.before else []) + peers
        cores = sorted(os.sched_getaffinity(0))
        self.cores = [cores[0], cores[min(1, len(cores) - 1)], cores[min(2, len(cores) - 1)]]
        self.script = directory / "result.lua"
        self.script.write_text(WRK_SCRIPT)
        self.running = []
        self.origin_program = origin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop_all()

    def run(self):
        scenarios = [self.scenario(scenario) for scenario in SCENARIOS if scenario["name"] in self.options.scenarios]
        return {
            "machine": machine(self),
            "rounds": self.options.rounds,
            "seconds": self.options.seconds,
            "scenarios": scenarios,
            "system_calls": self.system_calls(),
            "idle_memory": self.idle_memory(),
            "slow_memory": self.slow_memory(),
        }

    def scenario(self, scenario):
        name, title, clients = scenario["name"], scenario["title"], scenario["clients"]
        say(f"{name}: {title}")
        servers = self.start(self.names, self.origins(scenario["members"], scenario["size"]))
        for server in servers:
            self.load(server, 1, clients)
        turns = {server.name: [] for server in servers}
        for number in range(self.options.rounds):
            for server in servers:
                turn = self.turn(server, clients)
                turns[server.name].append(turn)
                say(f"{name} round {number + 1}/{self.options.rounds}  {server.name:<16} {turn['total_us']:7.2f} µs/request")
        self.stop_all()
        return {**scenario, "servers": summaries(turns)}

    def origins(self, count, size=200):
        """Addresses of that many origins, which are one process and answer with so many bytes."""
        process = Process([self.origin_program, str(count), str(size)], self.cores[2], self.directory)
        self.running.append(process)

        def lines():
            return process.log.read_text().split()

        until("the origin listens", lambda: len(lines()) == count)
        return lines()

    def start(self, names, origins):
        return [Server(self, name, origins) for name in names]

    def stop_all(self):
        while self.running:
            self.running.pop().end()

    def load(self, server, seconds, clients=64):
        """What wrk saw: requests, seconds, latencies, errors."""
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "-s", str(self.script), f"http://127.0.0.1:{server.port}/"]
        wrk = Process(command, self.cores[1], self.directory)
        self.running.append(wrk)
        wrk.child.wait()
        self.running.remove(wrk)
        found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$", wrk.log.read_text(), re.M)
        if not found or found[1] == "0":
            raise Trouble(f"wrk got nothing from {server.name}: {wrk.log.read_text().strip()}")
        requests, duration_us, p50_us, p99_us, errors = map(int, found.groups())
        return {
            "requests": requests,
            "requests_per_s": requests / (duration_us / 1e6),
            "p50_ms": p50_us / 1e3,
            "p99_ms": p99_us / 1e3,
            "errors": errors,
        }

    def turn(self, server, clients):
        """One server's turn: what the load saw and what it cost."""
        before = server.process.cpu()
        started = time.monotonic()
        result = self.load(server, self.options.seconds, clients)
        elapsed = time.monotonic() - started
        total, sampled, user = (now - then for now, then in zip(server.process.cpu(), before))
        user_share = user / sampled if sampled else 0
        result["total_us"] = total * 1e6 / result["requests"]
        result["user_us"] = result["total_us"] * user_share
        result["system_us"] = result["total_us"] * (1 - user_share)
        result["busy"] = total / elapsed
        return result

    def system_calls(self):
        """System calls per request of tine in its event shape, apart from everything timed: strace slows it down many times over."""
        if "event" not in self.options.shapes or not shutil.which("strace"):
            return None
        say("system calls of tine event")
        (server,) = self.start(["tine event"], self.origins(1))
        self.load(server, 1)
        summary = self.directory / "strace"
        attach = [word for pid in server.process.tree()[1:] for word in ("-p", str(pid))]
        strace = Process(["strace", "-f", "-c", "-o", str(summary), *attach], self.cores[1], self.directory)
        self.running.append(strace)
        try:
            until("strace attaches", lambda: "attached" in strace.log.read_text() or strace.child.poll() is not None)
            if strace.child.poll() is not None:
                say(f"without system calls: {strace.log.read_text().strip()}")
                return None
            requests = self.load(server, 2)["requests"]
            strace.child.send_signal(signal.SIGINT)
            strace.child.wait(PATIENCE_S)
        finally:
            self.running.remove(strace)
            strace.end()
            self.stop_all()
        # % time, seconds, usecs/call, calls, errors if any, name
        rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", summary.read_text(), re.M)
        calls = {name: int(count) / requests for count, name in rows if name != "total"}
        return {"requests": requests, "total": sum(calls.values()), "calls": calls}

    def idle_memory(self):
        """What a client costs that has had one answer and waits: growth of the tree's private dirty memory."""
        results = []
        for name in [name for name in ["tine event", "nginx", "haproxy"] if name in self.names]:
            say(f"memory of {name}")
            (server,) = self.start([name], self.origins(1))
            before = server.process.private_dirty_kib()
            with contextlib.ExitStack() as clients:
                for _ in range(IDLE_CLIENTS):
                    client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S))
                    client.sendall(REQUEST)
                    receive(client)
                after = server.process.private_dirty_kib()
            self.stop_all()
            growth = (after - before) * 1024 / IDLE_CLIENTS
            results.append({"server": name, "before_kib": before, "after_kib": after, "bytes_per_client": growth})
        return {"clients": IDLE_CLIENTS, "servers": results}

    def slow_memory(self):
        """What a client costs that has asked for a large answer and takes none of it: growth of the tree's private dirty memory."""
        results = []
        for name in [name for name in ["tine event", "nginx", "haproxy"] if name in self.names]:
            say(f"memory of {name} with slow clients")
            (server,) = self.start([name], self.origins(1, SLOW_SIZE))
            before = server.process.private_dirty_kib()
            with contextlib.ExitStack() as clients:
                for _ in range(SLOW_CLIENTS):
                    client = clients.enter_context(socket.socket())
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    client.settimeout(PATIENCE_S)
                    client.connect(("127.0.0.1", server.port))
                    client.sendall(REQUEST)
                    client.recv(1)
                after = settled(server.process.private_dirty_kib)
            self.stop_all()
            growth = (after - before) * 1024 / SLOW_CLIENTS
            results.append({"server": name, "before_kib": before, "after_kib": after, "bytes_per_client": growth})
        return {"clients": SLOW_CLIENTS, "servers": results}


def summaries(turns):
    """Per server: medians and extremes of its turns, and how tine event compares."""
    reference = turns.get("tine event")
    rows = []
    for name, measured in turns.items():
        row = {"server": name}
        for key in ["total_us", "user_us", "system_us", "requests_per_s", "p50_ms", "p99_ms", "busy"]:
            values = [turn[key] for turn in measured]
            row[key] = {"median": statistics.median(values), "min": min(values), "max": max(values)}
        total = row["total_us"]
        row["spread"] = (total["max"] - total["min"]) / total["median"]
        row["errors"] = sum(turn["errors"] for turn in measured)
        if reference:
            row["tine_event_ratio"] = statistics.median(
                ours["total_us"] / theirs["total_us"] for ours, theirs in zip(reference, measured)
            )
        row["turns"] = measured
        rows.append(row)
    return rows


def machine(bench):
    model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    programs = {"tine": [bench.tine, "-v"]}
    known = {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"], "apache2": ["apache2", "-v"]}
    for name in bench.names:
        program = name.split("-")[0]
        if program in known:
            programs[program] = known[program]
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "versions": {name: version(command) for name, command in programs.items()},
    }


def version(command):
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+\.\d+", said)
    return found[0] if found else said.strip()


# Telling


def report(document):
    machine = document["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}; {versions}"]
    lines.append(f"medians of {document['rounds']} rounds of {document['seconds']} s, servers in turn on one core")
    for scenario in document["scenarios"]:
        lines += ["", f"{scenario['name']}: {scenario['title']}", *table(scenario["servers"])]
    lines += ["", *told_system_calls(document["system_calls"])]
    lines += ["", *told_memory("idle keep-alive client", document["idle_memory"])]
    lines += ["", *told_memory("client that takes nothing of a large answer", document["slow_memory"])]
    return "\n".join(lines)


def table(rows):
    heads = ["", "CPU µs/request", "min–max", "user", "system", "requests/s", "busy", "p50 ms", "p99 ms", "errors", "tine event is"]
    cells = [heads]
    for row in rows:
        total = row["total_us"]
        ratio = row.get("tine_event_ratio")
        is_peer = not row["server"].startswith("tine")
        notes = f"{ratio:.2f} of it" if ratio and is_peer else ""
        if row["spread"] > SPREAD_MAX:
            notes += f"{'; ' if notes else ''}spread {row['spread']:.0%}"
        cells.append(
            [
                row["server"],
                f"{total['median']:.1f}",
                f"{total['min']:.1f}–{total['max']:.1f}",
                f"{row['user_us']['median']:.1f}",
                f"{row['system_us']['median']:.1f}",
                f"{row['requests_per_s']['median']:,.0f}",
                f"{row['busy']['median']:.0%}",
                f"{row['p50_ms']['median']:.2f}",
                f"{row['p99_ms']['median']:.2f}",
                str(row["errors"]),
                notes,
            ]
        )
    widths = [max(len(cell) for cell in column) for column in zip(*cells)]
    lines = []
    for row in cells:
        first, *middle, last = row
        parts = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(middle, widths[1:])), last]
        lines.append("  ".join(parts).rstrip())
    if any(row["spread"] > SPREAD_MAX for row in rows):
        lines.append(f"spread: (max − min) ÷ median above {SPREAD_MAX:.0%}; the machine was not quiet, do not compare closely")
    if any(row["busy"]["median"] < BUSY_MIN for row in rows):
        lines.append(f"busy below {BUSY_MIN:.0%}: the server waited for its load, so requests/s and latency are not its limits")
    return lines


def told_system_calls(result):
    if result is None:
        return ["system calls: not counted"]
    parts = sorted(result["calls"].items(), key=lambda call: -call[1])
    told = ", ".join(f"{name} {count:.2f}" for name, count in parts if count >= 0.005)
    return [f"system calls per request of tine event: {result['total']:.2f} ({told})"]


def told_memory(what, result):
    lines = [f"private memory per {what}, {result['clients']:,} clients"]
    for row in result["servers"]:
        lines.append(
            f"{row['server']:<12} {row['bytes_per_client']:8,.0f} bytes  ({row['before_kib']:,} → {row['after_kib']:,} KiB)"
        )
    return lines


if __name__ == "__main__":
    main()
