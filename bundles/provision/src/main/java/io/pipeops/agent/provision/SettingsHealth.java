package io.pipeops.agent.provision;

import org.apache.felix.hc.api.FormattingResultLog;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Says that changed settings were refused. No reason not to be ready: the last good ones work. */
@Component(property = {"hc.name=settings", "hc.tags=settings"})
public final class SettingsHealth implements HealthCheck {
  private final Provision provision;

  @Activate
  public SettingsHealth(@Reference Provision provision) {
    this.provision = provision;
  }

  @Override
  public Result execute() {
    FormattingResultLog log = new FormattingResultLog();
    provision.settingsProblems().forEach(p -> log.warn("Not in force: {}", p));
    if (provision.settingsProblems().isEmpty()) {
      log.info("The settings are in force");
    }
    return new Result(log);
  }
}
