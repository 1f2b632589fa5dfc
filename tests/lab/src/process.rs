//! Processes that do not outlive who started them.
#![expect(unsafe_code, reason = "what a child does before it becomes its program has no safe interface")]

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context as _, ensure};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, close, pipe2};

use crate::namespace::Namespace;

/// What ends with a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// Itself only: its own children are its own business.
    Alone,
    /// Everything that it started, as it is the first of a process namespace.
    Whole,
}

/// A running process. It is killed when this value is dropped, and when the process that holds this value dies.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a process on one of the lab's hosts, or on this one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(host: Option<&Namespace>, family: Family, command: Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let host = host.map(Namespace::descriptor).transpose()?.map(File::from);
        let (sender, receiver) = mpsc::channel();
        // The kernel takes the end of the thread that started a process for its parent's death, so that thread
        // stays as long as the process; and it is in the process's namespaces, so it is no other's.
        thread::spawn(move || {
            let spawned = spawn(host.as_ref(), family, command);
            let pid = spawned.as_ref().ok().and_then(|child| pid(child).ok());
            if sender.send(spawned).is_ok()
                && let Some(pid) = pid
            {
                // Leaves it to the holder to reap the process, so that the number stays its own until then.
                while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {
                }
            }
        });
        let spawned = receiver.recv().context("the thread that starts a process has panicked")?;
        let mut child = spawned.with_context(|| format!("cannot start {name}"))?;
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self { child, stdout })
    }

    /// Reads one line of its standard output, which must be piped, without the line's end.
    ///
    /// # Errors
    /// When it has closed its output, which it usually does by ending.
    pub fn line(&mut self) -> anyhow::Result<String> {
        let stdout = self.stdout.as_mut().context("its output is not piped")?;
        let mut line = String::new();
        ensure!(stdout.read_line(&mut line)? > 0, "it ended without a word");
        Ok(line.trim_end_matches('\n').to_owned())
    }

    /// Returns its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended and [`Self::ended`] has seen that.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(pid(&self.child)?, signal)?)
    }

    /// Returns how it ended, or `None` while it runs.
    ///
    /// # Errors
    /// None that are known.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// None that are known.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended and been reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(child: &Child) -> anyhow::Result<Pid> {
    Ok(Pid::from_raw(i32::try_from(child.id())?))
}

/// Starts a process from a thread that is for nothing else.
fn spawn(host: Option<&File>, family: Family, mut command: Command) -> io::Result<Child> {
    if let Some(host) = host {
        setns(host, CloneFlags::CLONE_NEWNET)?;
    }
    match family {
        Family::Alone => {}
        Family::Whole => unshare(CloneFlags::CLONE_NEWPID)?,
    }
    // A process whose parent dies before it has asked to be told sees that from the pipe's other end being closed:
    // asking who the parent is would not do in a process namespace.
    let (alive, parent) = pipe2(OFlag::O_CLOEXEC)?;
    let parents_end = parent.as_raw_fd();
    let end_with_parent = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        close(parents_end)?;
        let mut pipe = [PollFd::new(alive.as_fd(), PollFlags::POLLIN)];
        if poll(&mut pipe, PollTimeout::ZERO)? > 0 {
            return Err(Errno::ESRCH.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made and nothing is allocated or locked; the descriptor
    // that is closed is the child's own copy, which nothing else of the child uses.
    unsafe { command.pre_exec(end_with_parent) };
    let child = command.spawn();
    drop(parent);
    child
}

#[cfg(test)]
mod tests;
