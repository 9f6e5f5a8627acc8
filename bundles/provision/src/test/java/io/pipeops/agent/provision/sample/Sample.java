package io.pipeops.agent.provision.sample;

import io.pipeops.agent.api.feature.StreamOwner;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;

/** A component of the bundles that the tests make; a property says how it behaves. */
public final class Sample implements HealthCheck, StreamOwner, IntConsumer, BooleanSupplier {
  private final String behaviour;
  private volatile int open;
  private volatile boolean draining;

  public Sample(Map<String, Object> properties) throws InterruptedException {
    behaviour = String.valueOf(properties.get("behaviour"));
    if (behaviour.equals("throws")) {
      throw new IllegalStateException("cannot be activated today");
    }
    if (behaviour.equals("hangs")) {
      new CountDownLatch(1).await();
    }
  }

  @Override
  public Result execute() {
    if (behaviour.equals("hanging check")) {
      try {
        new CountDownLatch(1).await();
      } catch (InterruptedException given) {
        Thread.currentThread().interrupt();
      }
    }
    if (behaviour.equals("waits") && !Boolean.getBoolean("sample.came")) {
      return new Result(Result.Status.TEMPORARILY_UNAVAILABLE, "waits for something");
    }
    boolean ill =
        behaviour.equals("ill")
            || (behaviour.equals("ill on demand") && Boolean.getBoolean("sample.ill"));
    return new Result(ill ? Result.Status.CRITICAL : Result.Status.OK, ill ? "not at all" : "well");
  }

  @Override
  public int openStreams() {
    return open;
  }

  @Override
  public void drain(boolean drain) {
    draining = drain;
  }

  @Override
  public void accept(int streams) {
    open = streams;
  }

  @Override
  public boolean getAsBoolean() {
    return draining;
  }
}
