package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.api.link.Link;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.LinkStatus;
import java.util.Locale;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/**
 * Ready means connected and registered, or ready to be: a replica that stands by because another
 * one leads is where it should be, one that the peer keeps out is not.
 */
@Component(property = {HealthCheck.NAME + "=link", HealthCheck.TAGS + "=ready"})
public final class LinkHealthCheck implements HealthCheck {
  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  volatile Link link;

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  volatile Leadership lead;

  @Override
  public Result execute() {
    Link now = link;
    return now == null
        ? new Result(Result.Status.TEMPORARILY_UNAVAILABLE, "the link is not configured yet")
        : result(now.status(), lead != null);
  }

  static Result result(LinkStatus status, boolean leads) {
    if (status.connected() && status.registered()) {
      return new Result(
          Result.Status.OK, "connected to " + status.peer() + " as " + status.clusterId());
    }
    if (status.state() == LinkState.STANDBY && !leads) {
      return new Result(Result.Status.OK, "standby: " + status.reason());
    }
    Result.Status kind =
        status.state() == LinkState.DISCONNECTED
            ? Result.Status.CRITICAL
            : Result.Status.TEMPORARILY_UNAVAILABLE;
    String reason = status.reason().isEmpty() ? "not registered" : status.reason();
    return new Result(kind, status.state().name().toLowerCase(Locale.ROOT) + ": " + reason);
  }
}
