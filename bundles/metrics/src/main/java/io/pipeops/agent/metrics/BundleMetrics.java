package io.pipeops.agent.metrics;

import com.codahale.metrics.Gauge;
import io.pipeops.agent.api.metrics.Metrics;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.DoubleSupplier;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ServiceScope;

/**
 * One bundle's view. The framework ends it when the bundle lets go of the service or stops; then
 * all that came through it leaves, so that a gauge never keeps the classes of a bundle that is
 * gone.
 */
@Component(service = Metrics.class, scope = ServiceScope.BUNDLE)
public final class BundleMetrics implements Metrics {
  private static final AtomicLong OWNERS = new AtomicLong();

  private final SeriesRegistry registry;
  private final long owner = OWNERS.incrementAndGet();
  private boolean closed;

  @Activate
  public BundleMetrics(@Reference SeriesRegistry registry) {
    this.registry = registry;
  }

  @Deactivate
  synchronized void close() {
    closed = true;
    registry.removeAll(owner);
  }

  @Override
  public synchronized Counter counter(String name, String help, String... labels) {
    Series series = Series.of(Kind.COUNTER, name, labels);
    return closed
        ? new Count()
        : registry.add(owner, Kind.COUNTER, series, help, false, Count::new);
  }

  @Override
  public synchronized void gauge(String name, String help, DoubleSupplier value, String... labels) {
    Series series = Series.of(Kind.GAUGE, name, labels);
    Objects.requireNonNull(value, "value");
    if (!closed) {
      // A component that is made again brings a new supplier; the old one speaks of a dead object.
      registry.<Gauge<Double>>add(owner, Kind.GAUGE, series, help, true, () -> value::getAsDouble);
    }
  }

  @Override
  public synchronized Distribution distribution(String name, String help, String... labels) {
    Series series = Series.of(Kind.SUMMARY, name, labels);
    return closed
        ? new Spread()
        : registry.add(owner, Kind.SUMMARY, series, help, false, Spread::new);
  }

  /** A Dropwizard counter that only goes up. */
  static final class Count extends com.codahale.metrics.Counter implements Counter {
    @Override
    public void add(long amount) {
      if (amount > 0) {
        inc(amount);
      }
    }
  }
}
