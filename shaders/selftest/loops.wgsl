// A long way in one invocation: xorshift steps in one loop, and in nested loops.
//
// Marsaglia, Xorshift RNGs, J. Stat. Software 8 (2003) 14. No compiler has a closed form for it, so a driver that ends
// loops early gives itself away.

// Iterations: first of the single loop, then of the outer and the inner one.
@group(0) @binding(0) var<storage, read> counts: array<u32>;
// The state after the single loop, and after the nested ones; each begins with the word that is there.
@group(0) @binding(1) var<storage, read_write> words: array<u32>;

fn next(word: u32) -> u32 {
    var x = word;
    x ^= x << 13u;
    x ^= x >> 17u;
    x ^= x << 5u;
    return x;
}

@compute @workgroup_size(1)
fn main() {
    var x = words[0];
    for (var i = 0u; i < counts[0]; i++) {
        x = next(x);
    }
    words[0] = x;
    x = words[1];
    for (var i = 0u; i < counts[1]; i++) {
        for (var j = 0u; j < counts[2]; j++) {
            x = next(x);
        }
    }
    words[1] = x;
}
