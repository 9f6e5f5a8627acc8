package io.pipeops.agent.itests;

import java.util.concurrent.CountDownLatch;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** Put into a bundle by {@link FeatureKit}: its start never comes back. */
public final class HangingActivator implements BundleActivator {
  @Override
  public void start(BundleContext context) throws Exception {
    new CountDownLatch(1).await();
  }

  @Override
  public void stop(BundleContext context) {}
}
