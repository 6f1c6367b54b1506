//! Memory that is freed stays in the process: a proof frees and takes gigabytes in turn, and each page that comes back from the
//! system is filled with zeros first. What pages are is the system's choice; on virtual machines that give free huge pages back to
//! their host, asking for such pages costs more than it saves.

use libmimalloc_sys::{mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, which the crate has no name for.
const PURGE_DELAY: mi_option_t = 15;

/// To be called first.
pub fn keep_freed_memory() {
    // SAFETY: sets a number.
    unsafe { mi_option_set(PURGE_DELAY, -1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn freed_memory_stays() {
        keep_freed_memory();
        let before = resident();
        let taken: Vec<Vec<u8>> = (0..64).map(|byte| vec![byte + 1; 4 << 20]).collect();
        let most = resident();
        assert!(most > before + (200 << 10), "{before} kB, then {most}");
        drop(taken);
        // Longer than the allocator waits by default.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        let again: Vec<u8> = vec![1; 4 << 20];
        assert!(resident() > most - (50 << 10), "{most} kB, then {}", resident());
        drop(again);
    }
}
