package io.pipeops.agent.provision;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import io.pipeops.agent.api.feature.Features;
import org.apache.felix.hc.api.FormattingResultLog;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Ready once the first plan is done, as long as no feature has failed. */
@Component(property = {"hc.name=features", "hc.tags=ready"})
public final class FeaturesHealth implements HealthCheck {
  private final Features features;

  @Activate
  public FeaturesHealth(@Reference Features features) {
    this.features = features;
  }

  @Override
  public Result execute() {
    FormattingResultLog log = new FormattingResultLog();
    if (!features.settled()) {
      log.temporarilyUnavailable("The features are still being started");
    }
    for (FeatureStatus feature : features.list()) {
      if (feature.state() == FeatureState.FAILED) {
        log.critical("Feature {} failed: {}", feature.name(), feature.reason());
      } else {
        log.info("Feature {} {} is {}", feature.name(), feature.version(), feature.state());
      }
    }
    return new Result(log);
  }
}
