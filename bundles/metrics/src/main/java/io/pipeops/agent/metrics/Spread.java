package io.pipeops.agent.metrics;

import com.codahale.metrics.Histogram;
import com.codahale.metrics.SlidingWindowReservoir;
import io.pipeops.agent.api.metrics.Metrics;
import java.util.concurrent.atomic.DoubleAdder;

/**
 * A Dropwizard histogram of real numbers: they are kept as millionths, since the library only knows
 * whole ones. The last 256 values make the quantiles, which takes 2 KiB instead of the 100 KiB of
 * the library's usual reservoir.
 */
final class Spread extends Histogram implements Metrics.Distribution {
  static final double UNIT = 1e-6;
  private static final int WINDOW = 256;

  private final DoubleAdder sum = new DoubleAdder();

  Spread() {
    super(new SlidingWindowReservoir(WINDOW));
  }

  @Override
  public void record(double value) {
    if (Double.isFinite(value)) {
      sum.add(value);
      update(Math.round(value / UNIT));
    }
  }

  double sum() {
    return sum.sum();
  }
}
