//! Sinks against real files, pipes and sockets.

use std::fs;
use std::io::Read;

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::*;

fn reap(program: &Program) {
    let pid = Pid::from_raw(i32::try_from(program.pid().unwrap()).unwrap());
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED).unwrap();
}

#[test]
fn targets_are_read_as_httpd_reads_them() {
    let syslog =
        |facility: &str, tag: &str| Target::Syslog(Facility::parse(facility).unwrap(), tag.into());
    for (word, target) in [
        ("logs/error_log", Target::File("logs/error_log".into())),
        ("/dev/stderr", Target::Stderr),
        ("/dev/stdout", Target::Stdout),
        ("syslog", syslog("local7", "tine")),
        ("syslog:daemon", syslog("daemon", "tine")),
        ("syslog:LOCAL3:web", syslog("local3", "web")),
        ("syslog::web", syslog("local7", "web")),
        ("syslogs/error", Target::File("syslogs/error".into())),
    ] {
        assert_eq!(Target::error(word), Ok(target), "{word}");
    }
    assert_eq!(
        Target::error("syslog:nope"),
        Err(TargetError::Facility("nope".into()))
    );
    assert_eq!(Target::error("|"), Err(TargetError::NoProgram));
    // An access log goes to a file even if it is called syslog.
    assert_eq!(
        Target::access("syslog:x"),
        Ok(Target::File("syslog:x".into()))
    );
    assert!(matches!(
        Target::access("|/bin/cat"),
        Ok(Target::Program(_))
    ));
}

#[test]
fn relative_files_are_below_server_root() {
    let root = Path::new("/etc/tine");
    let relative = Target::File("logs/a".into()).relative_to(root);
    assert_eq!(relative, Target::File("/etc/tine/logs/a".into()));
    let absolute = Target::File("/var/a".into()).relative_to(root);
    assert_eq!(absolute, Target::File("/var/a".into()));
    assert_eq!(Target::Stderr.relative_to(root), Target::Stderr);
}

#[test]
fn a_file_is_appended_to_and_made_readable_for_all() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    Sink::file(&path).unwrap().write(b"one\n");
    let sink = Sink::file(&path).unwrap();
    sink.write(b"two\nthree\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
    assert_eq!(sink.dropped(), 0);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o133, 0, "{mode:o}");
}

#[test]
fn a_full_disk_loses_lines_and_counts_them() {
    let sink = Sink::file(Path::new("/dev/full")).unwrap();
    sink.write(b"one\ntwo\n");
    assert_eq!(sink.dropped(), 2);
}

#[test]
fn the_same_target_is_opened_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut sinks = Sinks::new();
    let target = Target::File(directory.path().join("log"));
    let (first, second) = (sinks.open(&target).unwrap(), sinks.open(&target).unwrap());
    assert!(Arc::ptr_eq(&first, &second));
    let missing = Target::File(directory.path().join("no/such"));
    assert!(sinks.open(&missing).is_err());
}

#[test]
fn a_piped_program_gets_the_lines_and_ends_with_the_last_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let mut sinks = Sinks::new();
    let target = Target::access(&format!("|$cat > {}", path.display())).unwrap();
    sinks.open(&target).unwrap().write(b"one\ntwo\n");
    let program = sinks.programs.pop().unwrap();
    drop(sinks);
    reap(&program);
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[test]
fn what_is_written_while_a_program_is_down_reaches_its_successor() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let command = CommandLine::parse(&format!("|$head -n 1 >> {}", path.display()));
    let (mut program, sink) = Program::start(command.unwrap().unwrap()).unwrap();
    sink.write(b"one\n");
    reap(&program);
    sink.write(b"two\n");
    assert_eq!(sink.dropped(), 0);
    let first = program.pid();
    program.respawn().unwrap();
    assert_ne!(program.pid(), first);
    reap(&program);
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[test]
fn a_program_that_cannot_be_started_is_an_error() {
    let command = CommandLine::parse("|/no/such/program").unwrap().unwrap();
    assert!(Program::start(command).is_err());
}

/// A pipe whose reader does not read, in non-blocking mode as [`Program::start`] makes them.
fn stuck() -> (io::PipeReader, Sink) {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let (reader, writer) = io::pipe().unwrap();
    fcntl(writer.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    (reader, Sink::pipe(writer))
}

#[test]
fn a_program_that_does_not_read_costs_whole_lines_and_no_time() {
    let (mut reader, sink) = stuck();
    let line = [&[b'x'; 99][..], b"\n"].concat();
    let turn = line.repeat(500);
    for _ in 0..4 {
        sink.write(&turn);
    }
    let lost = sink.dropped();
    assert!(lost > 0);
    drop(sink);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert!(read.chunks(100).all(|chunk| chunk == line));
    let kept = u64::try_from(read.len() / 100).unwrap();
    assert_eq!(kept + lost, 2000);
}

#[test]
fn a_line_that_was_cut_is_ended_before_the_next_one() {
    let (mut reader, sink) = stuck();
    let long = [&[b'x'; 200_000][..], b"\n"].concat();
    sink.write(&long);
    assert_eq!(sink.dropped(), 1);
    let mut room = vec![0; 65_536];
    reader.read_exact(&mut room).unwrap();
    sink.write(b"next\n");
    drop(sink);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert!(
        rest.ends_with(b"\nnext\n"),
        "{:?}",
        String::from_utf8_lossy(&rest)
    );
}

#[test]
fn groups_end_at_the_last_line_that_fits() {
    let short = b"ab\ncd\n";
    assert_eq!(group_length(short), 6);
    let lines = [&[b'x'; 3000][..], b"\n", &[b'y'; 3000], b"\n"].concat();
    assert_eq!(group_length(&lines), 3001);
    let long = [&[b'x'; 5000][..], b"\nz\n"].concat();
    assert_eq!(group_length(&long), 5001);
}

#[test]
fn a_syslog_daemon_that_comes_back_gets_the_next_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let sink = Sink::syslog(&path, Facility::LOCAL7, "tine").unwrap();
    sink.write(b"lost\n");
    assert_eq!(sink.dropped(), 1);
    let daemon = UnixDatagram::bind(&path).unwrap();
    sink.write(b"one\n");
    let mut buffer = [0; 64];
    let length = daemon.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"one");
    drop(daemon);
    fs::remove_file(&path).unwrap();
    let daemon = UnixDatagram::bind(&path).unwrap();
    sink.write(b"two\n");
    let length = daemon.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"two");
    assert_eq!(sink.dropped(), 1);
}
