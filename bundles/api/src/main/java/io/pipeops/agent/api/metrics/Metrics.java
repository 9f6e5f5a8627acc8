package io.pipeops.agent.api.metrics;

import java.util.function.DoubleSupplier;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Where a bundle registers its numbers. Every bundle gets its own instance; what it registered
 * leaves with it, so nothing needs to be taken back. Two bundles (two versions of one, say) may
 * register the same series: {@code /metrics} shows the sum. Names follow Prometheus: {@code
 * [a-z][a-z0-9_]*}, units in the name, counters end in {@code _total}.
 *
 * <p>{@code labels} are name, value, name, value, …; values must come from a small fixed set, never
 * from the peer.
 */
@ProviderType
public interface Metrics {
  Counter counter(String name, String help, String... labels);

  /** The supplier is called at each scrape: it must be quick and must not block. */
  void gauge(String name, String help, DoubleSupplier value, String... labels);

  Distribution distribution(String name, String help, String... labels);

  /** Only goes up. Safe for all threads, no allocation. */
  @ProviderType
  interface Counter {
    void add(long amount);

    default void increment() {
      add(1);
    }
  }

  /** Counts values and shows their quantiles, in the unit that the name says. */
  @ProviderType
  interface Distribution {
    void record(double value);
  }
}
