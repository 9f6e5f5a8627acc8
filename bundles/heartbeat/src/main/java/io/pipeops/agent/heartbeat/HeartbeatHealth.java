package io.pipeops.agent.heartbeat;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * Content if a heartbeat was sent within the last 90 seconds (or three periods, if longer), or if
 * none could be expected: that there is no link is for the link to say.
 */
@Component(property = {"hc.name=heartbeat", "hc.tags=ready", "hc.tags=feature"})
public final class HeartbeatHealth implements HealthCheck {
  private static final Duration OLD = Duration.ofSeconds(90);

  private final HeartbeatSender sender;

  @Activate
  public HeartbeatHealth(@Reference HeartbeatSender sender) {
    this.sender = sender;
  }

  @Override
  public Result execute() {
    Optional<Instant> usable = sender.usableSince();
    if (usable.isEmpty()) {
      return new Result(Result.Status.OK, "waiting for link");
    }
    Duration periods = sender.pace().connected().multipliedBy(3);
    Duration old = periods.compareTo(OLD) > 0 ? periods : OLD;
    Instant from =
        sender.lastSuccess().filter(last -> last.isAfter(usable.get())).orElse(usable.get());
    Duration since = Duration.between(from, Instant.now());
    boolean any = from.isAfter(usable.get());
    if (since.compareTo(old) >= 0) {
      return new Result(
          Result.Status.CRITICAL, "no heartbeat was sent for " + since.toSeconds() + " s");
    }
    return new Result(
        Result.Status.OK,
        any ? "last heartbeat " + since.toSeconds() + " s ago" : "just connected");
  }
}
