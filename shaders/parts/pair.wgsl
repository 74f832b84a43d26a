// Part of kernels that have a working matrix x of M rows to be made orthogonal by columns, M + C in all, and `scales`, a power of
// two near each column's largest entry, 0 for columns of zeros. Entries lie STRIDE places apart in a column and HOP in a row, scales
// NOTE places apart. With QUADS each place of x holds four columns' entries, which takes three fifths of the time of four accesses
// on llvmpipe.
//
// Orthogonalises the columns of blocks p < q, of the matrix that begins at `origin` and whose scales begin at `notes`; whether
// they were not. The Gram matrix of the columns is summed and diagonalised in registers, in the order of a tournament; then row
// after row is fetched, turned by the same rotations and put back. Gram matrix and rotations keep a power of two for each
// column, so that graded matrices lose nothing to underflow. A block of zeros meets no other: the columns of its opponent are made
// orthogonal where that meets the block beside it.
fn pair(origin: u32, notes: u32, p: u32, q: u32, rounding: Real) -> bool {
    let left = p * WIDTH;
    let right = q * WIDTH - WIDTH;
#ifdef QUADS
    // @registers
    var base: array<u32, BOTH / 4u>;
    // @unroll
    for (var four = 0u; four < BOTH / 4u; four++) {
        base[four] = origin + (select(right, left, 4u * four < WIDTH) + 4u * four) / 4u * HOP;
    }
#else
    // @registers
    var base: array<u32, BOTH>;
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        base[j] = origin + (select(right, left, j < WIDTH) + j) * HOP;
    }
#endif
    // @registers
    var scale: array<Real, BOTH>;
    // @registers
    var inverse: array<Real, BOTH>;
    // @registers
    var g: array<Real, BOTH * BOTH>;
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        scale[j] = scales[notes + (select(right, left, j < WIDTH) + j) * NOTE];
        inverse[j] = select(Real(0.0), reciprocal(scale[j]), scale[j] > 0.0);
        // @unroll
        for (var k = j; k < BOTH; k++) {
            g[j * BOTH + k] = 0.0;
        }
    }
    var is_there = vec2<bool>(false, false);
    // @unroll
    for (var j = 0u; j < WIDTH; j++) {
        is_there.x = is_there.x || scale[j] > 0.0;
        is_there.y = is_there.y || scale[WIDTH + j] > 0.0;
    }
    if !any(is_there) || (!all(is_there) && q != (p ^ 1u)) {
        return false;
    }
    for (var i = 0u; i < M; i++) {
        // @registers
        var c: array<Real, BOTH>;
#ifdef QUADS
        // @unroll
        for (var four = 0u; four < BOTH / 4u; four++) {
            let entries = x[base[four] + i * STRIDE];
            c[4u * four] = entries.x;
            c[4u * four + 1u] = entries.y;
            c[4u * four + 2u] = entries.z;
            c[4u * four + 3u] = entries.w;
        }
#else
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            c[j] = x[base[j] + i * STRIDE];
        }
#endif
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            c[j] = c[j] * inverse[j];
        }
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            // @unroll
            for (var k = j; k < BOTH; k++) {
                g[j * BOTH + k] += c[j] * c[k];
            }
        }
    }

    // Whether any cosine is more than rounding.
    var off = false;
    // @unroll
    for (var j = 0u; j < BOTH - 1u; j++) {
        // @unroll
        for (var k = j + 1u; k < BOTH; k++) {
            let gg = g[j * BOTH + k] * g[j * BOTH + k];
            off = off || gg > rounding * (g[j * BOTH + j] * g[k * BOTH + k]);
        }
    }
    if !off {
        return false;
    }

    // A pair whose cosine is rounding stays as it is: columns of equal length would be turned by any angle, and what is already
    // orthogonal to both would be lost. What a column is longer by at the end, squared and less one, is summed as such: each
    // small angle adds less than a rounding to it, and all together do not.
    // @registers
    var weight: array<Real, BOTH>;
    // @registers
    var growth: array<Real, BOTH>;
    // @registers
    var forth: array<Real, BOTH * BOTH>;
    // @registers
    var back: array<Real, BOTH * BOTH>;
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        weight[j] = 1.0;
        growth[j] = 0.0;
    }
    // @unroll
    for (var round = 0u; round < BOTH - 1u; round++) {
        // @unroll
        for (var match_ = 0u; match_ < WIDTH; match_++) {
            // @constant
            let one = (round + match_) % (BOTH - 1u);
            // @constant
            let two = (round + BOTH - 1u - match_) % (BOTH - 1u) + (BOTH - 1u - one) * (1u / (match_ + 1u));
            // @constant
            let j = min(one, two);
            // @constant
            let k = max(one, two);
            let xx = g[j * BOTH + j];
            let yy = g[k * BOTH + k];
            let xy = g[j * BOTH + k];
            // A column of zeros has no scale and stays.
            let ratio = scale[k] * inverse[j];
            let inverse_ratio = scale[j] * inverse[k];
            let apart = xy * xy > rounding * (xx * yy);
            let by = turn(xx, yy, xy, weight[j], weight[k], ratio, inverse_ratio, apart);
            forth[j * BOTH + k] = by.forth;
            back[j * BOTH + k] = by.back;
            let near = by.forth * ratio;
            let far = by.back * inverse_ratio;
            let square = by.forth * by.back;
            growth[j] += square + square * growth[j];
            growth[k] += square + square * growth[k];
            // From the growth, and not from weight to weight: what they are off by would add up, and rotations by them
            // would not be orthogonal.
            weight[j] = 1.0 / (1.0 + growth[j]);
            weight[k] = 1.0 / (1.0 + growth[k]);
            // @unroll
            for (var i = 0u; i < j; i++) {
                let u = g[i * BOTH + j];
                let v = g[i * BOTH + k];
                g[i * BOTH + j] = u - near * v;
                g[i * BOTH + k] = v + far * u;
            }
            // @unroll
            for (var i = j + 1u; i < k; i++) {
                let u = g[j * BOTH + i];
                let v = g[i * BOTH + k];
                g[j * BOTH + i] = u - near * v;
                g[i * BOTH + k] = v + far * u;
            }
            // @unroll
            for (var i = k + 1u; i < BOTH; i++) {
                let u = g[j * BOTH + i];
                let v = g[k * BOTH + i];
                g[j * BOTH + i] = u - near * v;
                g[k * BOTH + i] = v + far * u;
            }
            g[j * BOTH + j] = max(xx - near * xy, 0.0) * by.grown;
            g[k * BOTH + k] = max(yy + far * xy, 0.0) * by.grown;
            g[j * BOTH + k] = 0.0;
        }
    }

    // The new scales are those of the columns as they come out: where the Gram matrix cancels to zero the columns are not
    // zero but rounding, and a scale that stayed behind would let their squares underflow. So would one by the squares
    // themselves: of equal columns each takes the like of a rounding off the next.
    // `excess` is 1 − 1/√(1 + growth): a factor next to 1, rounded, would lengthen or shorten all entries alike, and always again.
    // Where a column has grown much the factor itself is `kept`: what it differs from 1 by is then next to 1.
    // @registers
    var largest: array<Real, BOTH>;
    // @registers
    var kept: array<Real, BOTH>;
    // @registers
    var excess: array<Real, BOTH>;
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        largest[j] = 0.0;
        let longer = sqrt(1.0 + growth[j]);
        kept[j] = select(Real(1.0), 1.0 / longer, growth[j] > 1.0);
        excess[j] = select(growth[j] / (1.0 + growth[j] + longer), Real(0.0), growth[j] > 1.0);
    }
    for (var i = 0u; i < ROWS; i++) {
        // @registers
        var c: array<Real, BOTH>;
#ifdef QUADS
        // @unroll
        for (var four = 0u; four < BOTH / 4u; four++) {
            let entries = x[base[four] + i * STRIDE];
            c[4u * four] = entries.x;
            c[4u * four + 1u] = entries.y;
            c[4u * four + 2u] = entries.z;
            c[4u * four + 3u] = entries.w;
        }
#else
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            c[j] = x[base[j] + i * STRIDE];
        }
#endif
        // @unroll
        for (var round = 0u; round < BOTH - 1u; round++) {
            // @unroll
            for (var match_ = 0u; match_ < WIDTH; match_++) {
                // @constant
                let one = (round + match_) % (BOTH - 1u);
                // @constant
                let two = (round + BOTH - 1u - match_) % (BOTH - 1u) + (BOTH - 1u - one) * (1u / (match_ + 1u));
                // @constant
                let j = min(one, two);
                // @constant
                let k = max(one, two);
                let u = c[j];
                let v = c[k];
                c[j] = u - forth[j * BOTH + k] * v;
                c[k] = v + back[j * BOTH + k] * u;
            }
        }
        let counts = select(Real(0.0), Real(1.0), i < M);
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            c[j] *= kept[j];
            c[j] = c[j] - c[j] * excess[j];
            largest[j] = max(largest[j], abs(c[j]) * counts);
        }
#ifdef QUADS
        // @unroll
        for (var four = 0u; four < BOTH / 4u; four++) {
            let at = base[four] + i * STRIDE;
            x[at] = vec4<Real>(c[4u * four], c[4u * four + 1u], c[4u * four + 2u], c[4u * four + 3u]);
        }
#else
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            x[base[j] + i * STRIDE] = c[j];
        }
#endif
    }
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        scales[notes + (select(right, left, j < WIDTH) + j) * NOTE] = scale_of(largest[j]);
    }
    return true;
}
