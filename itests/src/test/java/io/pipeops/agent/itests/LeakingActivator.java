package io.pipeops.agent.itests;

import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** A fault for the tests: leaves a thread behind, and by it the bundle's class loader. */
public final class LeakingActivator implements BundleActivator {
  @Override
  public void start(BundleContext context) {
    Thread thread = new Thread(LeakingActivator::waitForInterrupt, "left-behind");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void stop(BundleContext context) {}

  private static synchronized void waitForInterrupt() {
    try {
      while (true) {
        LeakingActivator.class.wait();
      }
    } catch (InterruptedException e) {
      // The test has seen enough.
    }
  }
}
