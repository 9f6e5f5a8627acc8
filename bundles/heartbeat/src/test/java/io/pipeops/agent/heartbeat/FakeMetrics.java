package io.pipeops.agent.heartbeat;

import io.pipeops.agent.api.metrics.Metrics;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.DoubleSupplier;

/** Remembers counters by name. */
final class FakeMetrics implements Metrics {
  final Map<String, AtomicLong> counters = new ConcurrentHashMap<>();

  long count(String name) {
    return counters.computeIfAbsent(name, key -> new AtomicLong()).get();
  }

  @Override
  public Counter counter(String name, String help, String... labels) {
    AtomicLong value = counters.computeIfAbsent(name, key -> new AtomicLong());
    return value::addAndGet;
  }

  @Override
  public void gauge(String name, String help, DoubleSupplier value, String... labels) {}

  @Override
  public Distribution distribution(String name, String help, String... labels) {
    AtomicLong count = counters.computeIfAbsent(name, key -> new AtomicLong());
    return value -> count.incrementAndGet();
  }
}
