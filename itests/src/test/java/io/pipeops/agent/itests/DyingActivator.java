package io.pipeops.agent.itests;

import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** Put into a bundle by {@link FeatureKit}: its start fails. */
public final class DyingActivator implements BundleActivator {
  @Override
  public void start(BundleContext context) {
    throw new IllegalStateException("this version dies at its start");
  }

  @Override
  public void stop(BundleContext context) {}
}
