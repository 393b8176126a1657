// Package explore looks for seeds with which a suite fails: it runs many simulations, groups their failures by the first expectation that
// failed, and takes statistics of the durations. With faults, each seed also makes a schedule of them, which is lines of the lab language
// between those of the suite; when a schedule makes the suite fail, it is shrunk to one that is as short as can be and fails alike. The
// idea is QuickCheck's (Claessen and Hughes, ICFP 2000), with the seed as all of its input; the shrinking is Zeller's delta debugging.
package explore
