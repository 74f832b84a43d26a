//! tmp
use natgrad::gpu::{AdapterChoice, Depth, Device};
use natgrad::selftest_on as selftest;
use std::time::Instant;

#[test]
fn times() {
    for summary in Device::list() {
        let t = Instant::now();
        let device = Device::open_untested(&AdapterChoice::Index(summary.index)).unwrap();
        println!("open {:?}", t.elapsed());
        for _ in 0..3 {
            let t = Instant::now();
            let report = selftest(&device, Depth::Quick).unwrap();
            println!("{:?}\n{report}", t.elapsed());
        }
    }
}
