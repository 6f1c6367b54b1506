//! Progress as JSON lines, and the time that each stage took.

use std::fs::File;
use std::io::Write;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{json, Map, Value};

/// Times stages and reports their begin and end. Stages follow one another; starting one ends the one before. Where there are
/// several blocks, the lines say which one a stage is of.
pub struct Progress {
    state: Mutex<State>,
}

struct State {
    out: Option<File>,
    begun: Instant,
    current: Option<(String, Instant)>,
    /// Which of how many.
    block: Option<(usize, usize)>,
    seconds: Vec<(String, f64)>,
}

impl Progress {
    /// Lines go to `out`, if there is one.
    pub fn new(out: Option<File>) -> Self {
        let state = State { out, begun: Instant::now(), current: None, block: None, seconds: Vec::new() };
        Progress { state: Mutex::new(state) }
    }

    pub fn begin(&self, stage: &str) {
        let mut state = self.lock();
        state.end_current();
        state.current = Some((stage.to_string(), Instant::now()));
        let elapsed = state.begun.elapsed().as_secs_f64();
        state.line(json!({"event": "begin", "stage": stage, "elapsed": rounded(elapsed)}));
    }

    /// Times `work` as a stage of its own, and goes on with the stage that it interrupts.
    pub fn interrupt<T>(&self, stage: &str, work: impl FnOnce() -> T) -> T {
        let interrupted = self.lock().current.as_ref().map(|(stage, _)| stage.clone());
        self.begin(stage);
        let done = work();
        match interrupted {
            Some(interrupted) => self.begin(&interrupted),
            None => self.end(),
        }
        done
    }

    pub fn end(&self) {
        self.lock().end_current();
    }

    /// Times from here on are of other work.
    pub fn restart(&self) {
        let mut state = self.lock();
        state.end_current();
        state.begun = Instant::now();
        state.seconds.clear();
    }

    /// The stages from here on are of this block.
    pub fn enter_block(&self, index: usize, blocks: usize) {
        let mut state = self.lock();
        state.end_current();
        state.block = (blocks > 1).then_some((index, blocks));
    }

    /// The stages from here on are of no block.
    pub fn leave_blocks(&self) {
        let mut state = self.lock();
        state.end_current();
        state.block = None;
    }

    /// Seconds per stage, over all blocks, in the order of their first begin, and their sum.
    pub fn summary(&self) -> Value {
        let mut state = self.lock();
        state.end_current();
        let mut stages = Map::new();
        for (stage, seconds) in &state.seconds {
            let sum = stages.get(stage).and_then(Value::as_f64).unwrap_or(0.0) + seconds;
            stages.insert(stage.clone(), rounded(sum));
        }
        json!({
            "stages": stages,
            "seconds": rounded(state.begun.elapsed().as_secs_f64()),
            "peak_memory_bytes": peak_memory(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half done here.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn end_current(&mut self) {
        if let Some((stage, begun)) = self.current.take() {
            let seconds = begun.elapsed().as_secs_f64();
            let line = json!({
                "event": "end", "stage": stage, "seconds": rounded(seconds), "peak_memory_bytes": peak_memory(),
            });
            self.line(line);
            self.seconds.push((stage, seconds));
        }
    }

    fn line(&mut self, mut line: Value) {
        if let Some((index, blocks)) = self.block {
            line["block"] = json!(index);
            line["blocks"] = json!(blocks);
        }
        // Whoever reads the progress may have gone away; the work goes on.
        if let Some(out) = &mut self.out {
            if writeln!(out, "{line}").is_err() {
                self.out = None;
            }
        }
    }
}

fn rounded(seconds: f64) -> Value {
    json!((seconds * 1e4).round() / 1e4)
}

/// The process's largest resident set so far, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(1024 * kilobytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_stage_goes_on() {
        let progress = Progress::new(None);
        progress.begin("fri");
        assert_eq!(progress.interrupt("grinding", || 7), 7);
        progress.interrupt("grinding", || ());
        progress.begin("openings");
        progress.end();
        progress.interrupt("grinding", || ());
        let begun: Vec<String> = progress.lock().seconds.iter().map(|(stage, _)| stage.clone()).collect();
        assert_eq!(begun, ["fri", "grinding", "fri", "grinding", "fri", "openings", "grinding"]);
        let stages = progress.summary()["stages"].clone();
        assert_eq!(stages.as_object().unwrap().len(), 3, "{stages}");
    }
}
