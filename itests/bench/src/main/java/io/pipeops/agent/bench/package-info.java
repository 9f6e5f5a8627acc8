/**
 * Benchmarks of the assembled distribution; {@code Bench} is the program, {@code bench.sh} starts
 * it.
 */
package io.pipeops.agent.bench;
