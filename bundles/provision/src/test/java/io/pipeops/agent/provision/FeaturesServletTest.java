package io.pipeops.agent.provision;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class FeaturesServletTest {
  @Test
  void saysWhatThereIs() {
    FeatureStatus feature =
        new FeatureStatus(
            "tunnel",
            "1.0.0",
            FeatureState.ACTIVE,
            Instant.EPOCH,
            "a \"reason\"",
            List.of(new FeatureStatus.BundleStatus("io.pipeops.agent.tunnel", "1.0.0", "ACTIVE")));
    assertEquals(
        "{\"settled\":true,\"features\":[{\"name\":\"tunnel\",\"version\":\"1.0.0\","
            + "\"state\":\"ACTIVE\",\"since\":\"1970-01-01T00:00:00Z\","
            + "\"reason\":\"a \\\"reason\\\"\",\"bundles\":[{\"symbolicName\":"
            + "\"io.pipeops.agent.tunnel\",\"version\":\"1.0.0\",\"state\":\"ACTIVE\"}]}],"
            + "\"lastPlan\":[\"refresh\"],\"settingsProblems\":[\"line\"]}",
        FeaturesServlet.json(true, List.of(feature), List.of("refresh"), List.of("line")));
  }
}
