package io.pipeops.agent.link;

import io.pipeops.agent.api.feature.Conditions;
import io.pipeops.agent.api.link.LinkListener;
import io.pipeops.agent.api.link.LinkStatus;
import java.util.Map;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.condition.Condition;

/**
 * Publishes {@link Conditions#LINK_CONNECTED} while the link is connected and registered. A
 * component of its own, because those who wait for the condition need the link.
 */
@Component
public final class LinkConnectedCondition implements LinkListener {
  private final BundleContext context;
  private ServiceRegistration<Condition> registration;
  private boolean gone;

  @Activate
  public LinkConnectedCondition(BundleContext context) {
    this.context = context;
  }

  @Override
  public synchronized void linkChanged(LinkStatus status) {
    if (gone || (status.connected() && status.registered()) == (registration != null)) {
      return;
    }
    if (registration != null) {
      withdraw();
    } else {
      registration =
          context.registerService(
              Condition.class,
              Condition.INSTANCE,
              FrameworkUtil.asDictionary(
                  Map.of(Condition.CONDITION_ID, Conditions.LINK_CONNECTED)));
    }
  }

  @Deactivate
  synchronized void stop() {
    gone = true;
    if (registration != null) {
      withdraw();
    }
  }

  private void withdraw() {
    registration.unregister();
    registration = null;
  }
}
