package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.feature.Conditions;
import java.util.Map;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.condition.Condition;

/** With one replica there is nobody to elect: the agent leads from the start. */
@Component(
    service = {},
    immediate = true)
public final class SoleLeader {
  private final ServiceRegistration<Condition> leads;

  @Activate
  public SoleLeader(BundleContext context) {
    leads =
        context.registerService(
            Condition.class,
            Condition.INSTANCE,
            FrameworkUtil.asDictionary(Map.of(Condition.CONDITION_ID, Conditions.AGENT_LEADER)));
  }

  @Deactivate
  void close() {
    leads.unregister();
  }
}
