/** Microbenchmarks of inner pieces, run by {@code ./build jmh}; no test runs them, and none judges by them. */
@org.jspecify.annotations.NullMarked
package remus.jmh;
