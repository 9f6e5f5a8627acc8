package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentConfigurationDTO;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;
import org.osgi.service.component.runtime.dto.ReferenceDTO;
import org.osgi.service.component.runtime.dto.UnsatisfiedReferenceDTO;

/** Each feature of the distribution comes up with the base and nothing else. */
class SingleFeatureIT {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final String CONDITION = "org.osgi.service.condition.Condition";

  @TempDir Path dir;

  static List<String> features() throws IOException {
    try (Stream<Path> files = Files.list(Program.IMAGE.resolve("features"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".json") && !name.startsWith("base"))
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("features")
  void comesUpAlone(String file) throws Exception {
    Path folder = Files.createDirectory(dir.resolve("features"));
    Files.copy(Program.IMAGE.resolve("features").resolve(file), folder.resolve(file));
    JsonNode feature = Spine.JSON.readTree(folder.resolve(file).toFile());
    String program = feature.at("/extensions/agent/json/programs/0").asText("agent");
    try (AgentContainer container =
        AgentContainer.start(
            Map.of(
                "agent.program", program,
                "agent.run.dir", dir.resolve("run").toString(),
                "agent.features.dir", folder.toString(),
                "agent.flags", String.join("\n", settings(program, name(feature)))))) {
      AgentContainer.settles(
          "bundles of " + file, LIMIT, () -> notActive(container.context(), feature));
      List<Bundle> own = new ArrayList<>();
      feature.path("bundles").forEach(b -> own.addAll(container.bundles(part(b, 1))));
      assertFalse(own.isEmpty());
      AgentContainer.settles(
          "components with " + file, LIMIT, () -> unsatisfied(container.context()));
      AgentContainer.settles("health of " + file, LIMIT, () -> unhealthy(container.context(), own));
    }
  }

  /** What the programs cannot do without, and what keeps a feature off the machine's own ports. */
  private List<String> settings(String program, String feature) throws IOException {
    List<String> lines =
        new ArrayList<>(
            List.of("http.port=0", "http.host=127.0.0.1", "features." + feature + ".enabled=true"));
    if (!program.equals("hub")) {
      lines.add("link.url=https://127.0.0.1:9");
      lines.add("link.token=of-a-test-that-connects-to-nothing");
      lines.add("link.cluster_name=alone");
      lines.add("kubernetes.kubeconfig=" + kubeconfig());
    }
    if (feature.equals("hub")) {
      lines.add("hub.port=0");
      lines.add("hub.state_dir=" + dir.resolve("hub"));
    }
    return lines;
  }

  /** Of a cluster that nobody reaches. */
  private Path kubeconfig() throws IOException {
    return Files.writeString(
        dir.resolve("kubeconfig"),
        """
        apiVersion: v1
        kind: Config
        current-context: c
        contexts: [{name: c, context: {cluster: c, user: u}}]
        clusters: [{name: c, cluster: {server: "https://127.0.0.1:9", insecure-skip-tls-verify: true}}]
        users: [{name: u, user: {token: t}}]
        """);
  }

  private static List<String> notActive(BundleContext context, JsonNode feature) {
    List<String> complaints = new ArrayList<>();
    Set<String> there = new HashSet<>();
    for (Bundle bundle : context.getBundles()) {
      there.add(bundle.getSymbolicName() + ":" + bundle.getVersion());
      if (bundle.getState() != Bundle.ACTIVE) {
        complaints.add(bundle + " is in state " + bundle.getState());
      }
    }
    for (JsonNode bundle : feature.path("bundles")) {
      String id = part(bundle, 1) + ":" + part(bundle, 2);
      if (!there.contains(id)) {
        complaints.add(id + " is not installed");
      }
    }
    return complaints;
  }

  /**
   * Components that wait, and not for a configuration that nobody has written or a named condition,
   * nor for the service of one that does.
   */
  private static List<String> unsatisfied(BundleContext context) throws Exception {
    ServiceComponentRuntime runtime =
        context.getService(context.getServiceReference(ServiceComponentRuntime.class));
    Collection<ComponentDescriptionDTO> all = runtime.getComponentDescriptionDTOs();
    Set<String> late = new HashSet<>(Set.of(CONDITION));
    List<String> unknown = unknown(context, all);
    while (true) {
      List<String> complaints = new ArrayList<>(unknown);
      int before = late.size();
      for (ComponentDescriptionDTO component : all) {
        Collection<ComponentConfigurationDTO> configurations =
            runtime.getComponentConfigurationDTOs(component);
        for (ComponentConfigurationDTO configuration : configurations) {
          List<String> missing = missing(component, configuration);
          if (configuration.state == ComponentConfigurationDTO.UNSATISFIED_CONFIGURATION
              && isConfigured(context, component)) {
            complaints.add(component.name + " has not seen its configuration yet");
          } else if (late.containsAll(missing)) {
            if (!missing.isEmpty()
                || configuration.state == ComponentConfigurationDTO.UNSATISFIED_CONFIGURATION) {
              late.addAll(Arrays.asList(component.serviceInterfaces));
            }
          } else {
            complaints.add(component.name + " waits for " + missing);
          }
          if (configuration.state == ComponentConfigurationDTO.FAILED_ACTIVATION) {
            complaints.add(component.name + " failed: " + configuration.failure);
          }
        }
      }
      if (late.size() == before) {
        return complaints;
      }
    }
  }

  /** Bundles that are active but whose components the runtime has not all read yet. */
  private static List<String> unknown(
      BundleContext context, Collection<ComponentDescriptionDTO> all) {
    List<String> complaints = new ArrayList<>();
    for (Bundle bundle : context.getBundles()) {
      if (bundle.getSymbolicName().startsWith("io.pipeops.")) {
        String header = bundle.getHeaders("").get("Service-Component");
        int declared = AgentContainer.clauses(header).size();
        long known = all.stream().filter(c -> c.bundle.id == bundle.getBundleId()).count();
        if (known != declared) {
          complaints.add(bundle + ": " + known + " of " + declared + " components are known");
        }
      }
    }
    return complaints;
  }

  private static boolean isConfigured(BundleContext context, ComponentDescriptionDTO component)
      throws Exception {
    ConfigurationAdmin admin =
        context.getService(context.getServiceReference(ConfigurationAdmin.class));
    for (String pid : component.configurationPid) {
      String filter = "(|(service.pid=" + pid + ")(service.factoryPid=" + pid + "))";
      if (admin.listConfigurations(filter) != null) {
        return true;
      }
    }
    return false;
  }

  private static List<String> missing(
      ComponentDescriptionDTO component, ComponentConfigurationDTO configuration) {
    List<String> missing = new ArrayList<>();
    if (configuration.state == ComponentConfigurationDTO.UNSATISFIED_REFERENCE) {
      for (UnsatisfiedReferenceDTO unsatisfied : configuration.unsatisfiedReferences) {
        for (ReferenceDTO reference : component.references) {
          if (reference.name.equals(unsatisfied.name)) {
            missing.add(reference.interfaceName);
          }
        }
      }
    }
    return missing;
  }

  private static List<String> unhealthy(BundleContext context, List<Bundle> own) throws Exception {
    List<String> complaints = new ArrayList<>();
    for (ServiceReference<HealthCheck> reference :
        context.getServiceReferences(HealthCheck.class, "(hc.tags=feature)")) {
      if (own.contains(reference.getBundle())) {
        HealthCheck check = context.getService(reference);
        Result result = check == null ? null : check.execute();
        if (result == null || result.getStatus() != Result.Status.OK) {
          complaints.add(reference.getProperty("hc.name") + ": " + result);
        }
        context.ungetService(reference);
      }
    }
    return complaints;
  }

  private static String name(JsonNode feature) {
    return part(feature, 1).replaceFirst("^feature-", "");
  }

  private static String part(JsonNode identified, int index) {
    return identified.path("id").asText().split(":")[index];
  }
}
