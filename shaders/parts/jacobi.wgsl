// One-sided Jacobi in registers: rotates the columns of `m`, of M entries each, until they are orthogonal, and with them the
// ROWS − M entries below that are carried along. `m` lies column by column, N of them with ROWS entries each; `largest` is the
// magnitude of its largest entry, at least of those that are orthogonalised. `tolerance` and `max_sweeps` say when to stop.
//
// What it leaves: column j of the rotated matrix is m·scale·weight times `unit`, and what was carried m·√weight, where `weight`
// has not had its root taken yet; `sweeps`, and in `rotating` whether the last one still rotated.
    // One power of two for the whole matrix, and one for each column, which is remembered: columns have lengths near 1
    // throughout, whatever their part in the matrix.
    let unit = power_of_two(largest);
    let by_unit = reciprocal(unit);
    // @unroll
    for (var j = 0u; j < N; j++) {
        var bits = 0u;
        // @unroll
        for (var i = 0u; i < M; i++) {
            bits = max(bits, magnitude(m[j * ROWS + i]));
        }
        let big = Real(bitcast<f32>(bits));
        let there = big > NEGLIGIBLE * unit;
        scale[j] = select(Real(1.0), power_of_two(big * by_unit), there);
        inverse[j] = reciprocal(scale[j]);
        let by = select(Real(0.0), by_unit, there);
        // @unroll
        for (var i = 0u; i < M; i++) {
            m[j * ROWS + i] = m[j * ROWS + i] * by * inverse[j];
        }
        weight[j] = 1.0;
    }

    // A pair whose cosine is rounding stays as it is: columns of equal length would be turned by any angle, and what is
    // already orthogonal to both would be lost. The first sweep without a rotation is a matrix's last.
    let rounding = tolerance * tolerance;
    var sweeps = 0u;
    var rotating = true;
    while rotating && sweeps < max_sweeps {
        sweeps += 1u;
        rotating = false;
        // @unroll
        for (var j = 0u; j < N; j++) {
            // The rotations of the last sweep may have cancelled most of a column.
            var sum: Real = 0.0;
            // @unroll
            for (var i = 0u; i < M; i++) {
                sum += m[j * ROWS + i] * m[j * ROWS + i];
            }
            var lift: Real = 1.0;
            if sum < FAINT {
                var bits = 0u;
                // @unroll
                for (var i = 0u; i < M; i++) {
                    bits = max(bits, magnitude(m[j * ROWS + i]));
                }
                lift = power_of_two(Real(bitcast<f32>(bits)));
                let by_lift = reciprocal(lift);
                sum = 0.0;
                // @unroll
                for (var i = 0u; i < M; i++) {
                    let part = m[j * ROWS + i] * by_lift;
                    sum += part * part;
                }
            }
            let root = power_of_root(sum);
            let step = lift * root;
            let by_step = reciprocal(step);
            let there = scale[j] * step > NEGLIGIBLE;
            scale[j] = select(Real(1.0), scale[j] * step, there);
            inverse[j] = select(Real(1.0), inverse[j] * by_step, there);
            let by = select(Real(0.0), by_step, there);
            // @unroll
            for (var i = 0u; i < M; i++) {
                m[j * ROWS + i] = m[j * ROWS + i] * by;
            }
            let by_root = select(Real(0.0), reciprocal(root), there);
            squares[j] = sum * by_root * by_root;
        }
        // Every pair once, in the order of a tournament: the pairs of a round have no column in common, so that the
        // device can work on several at once. In the first pair of a round an even N's last column meets the others.
        // @registers
        var forth: array<Real, CIRCLE * PAIRS>;
        // @registers
        var back: array<Real, CIRCLE * PAIRS>;
        // @unroll
        for (var round = 0u; round < CIRCLE; round++) {
            // @registers
            var dot_product: array<Real, PAIRS>;
            // @registers
            var near: array<Real, PAIRS>;
            // @registers
            var far: array<Real, PAIRS>;
            // @unroll
            for (var match_ = N % 2u; match_ < PAIRS; match_++) {
                // @constant
                let j = (round + match_) % CIRCLE;
                // @constant
                let k = (round + CIRCLE - match_) % CIRCLE + (N - 1u - j) * (1u / (match_ + 1u));
                var g: Real = 0.0;
                // @unroll
                for (var i = 0u; i < M; i++) {
                    g += m[j * ROWS + i] * m[k * ROWS + i];
                }
                dot_product[match_] = g;
            }
            // @unroll
            for (var match_ = N % 2u; match_ < PAIRS; match_++) {
                // @constant
                let j = (round + match_) % CIRCLE;
                // @constant
                let k = (round + CIRCLE - match_) % CIRCLE + (N - 1u - j) * (1u / (match_ + 1u));
                let g = dot_product[match_];
                let x = squares[j];
                let y = squares[k];
                let apart = g * g > rounding * (x * y);
                rotating = rotating || apart;
                let ratio = scale[k] * inverse[j];
                let inverse_ratio = scale[j] * inverse[k];
                let by = turn(x, y, g, weight[j], weight[k], ratio, inverse_ratio, apart);
                near[match_] = by.forth * ratio;
                far[match_] = by.back * inverse_ratio;
                forth[round * PAIRS + match_] = by.forth;
                back[round * PAIRS + match_] = by.back;
                weight[j] -= weight[j] * by.lost;
                weight[k] -= weight[k] * by.lost;
                squares[j] = max(x - near[match_] * g, 0.0) * by.grown;
                squares[k] = max(y + far[match_] * g, 0.0) * by.grown;
            }
            // @unroll
            for (var match_ = N % 2u; match_ < PAIRS; match_++) {
                // @constant
                let j = (round + match_) % CIRCLE;
                // @constant
                let k = (round + CIRCLE - match_) % CIRCLE + (N - 1u - j) * (1u / (match_ + 1u));
                // @unroll
                for (var i = 0u; i < M; i++) {
                    let p = m[j * ROWS + i];
                    let r = m[k * ROWS + i];
                    m[j * ROWS + i] = p - near[match_] * r;
                    m[k * ROWS + i] = r + far[match_] * p;
                }
            }
        }
        // Weights shrink: what is a power of two of their roots goes to the columns, exactly.
        // @registers
        var share: array<Real, N>;
        // @unroll
        for (var j = 0u; j < N; j++) {
            share[j] = power_of_root(weight[j]);
            let by_share = reciprocal(share[j]);
            weight[j] = weight[j] * by_share * by_share;
            scale[j] = scale[j] * share[j];
            inverse[j] = inverse[j] * by_share;
        }
        // What is carried turns row by row: a row stays in registers through all of the sweep.
        // @unroll
        for (var i = M; i < ROWS; i++) {
            // @unroll
            for (var round = 0u; round < CIRCLE; round++) {
                // @unroll
                for (var match_ = N % 2u; match_ < PAIRS; match_++) {
                    // @constant
                    let j = (round + match_) % CIRCLE;
                    // @constant
                    let k = (round + CIRCLE - match_) % CIRCLE + (N - 1u - j) * (1u / (match_ + 1u));
                    let p = m[j * ROWS + i];
                    let r = m[k * ROWS + i];
                    m[j * ROWS + i] = p - forth[round * PAIRS + match_] * r;
                    m[k * ROWS + i] = r + back[round * PAIRS + match_] * p;
                }
            }
            // @unroll
            for (var j = 0u; j < N; j++) {
                m[j * ROWS + i] = m[j * ROWS + i] * share[j];
            }
        }
    }
