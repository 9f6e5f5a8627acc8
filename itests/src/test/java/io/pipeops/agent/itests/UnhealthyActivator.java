package io.pipeops.agent.itests;

import java.util.Dictionary;
import java.util.Hashtable;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** Put into a bundle by {@link FeatureKit}: it starts, and then says that it is not well. */
public final class UnhealthyActivator implements BundleActivator, HealthCheck {
  @Override
  public void start(BundleContext context) {
    Dictionary<String, Object> properties = new Hashtable<>();
    properties.put(HealthCheck.NAME, "seeded");
    properties.put(HealthCheck.TAGS, new String[] {"feature"});
    context.registerService(HealthCheck.class, this, properties);
  }

  @Override
  public void stop(BundleContext context) {}

  @Override
  public Result execute() {
    return new Result(Result.Status.CRITICAL, "seeded fault");
  }
}
