package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs the commands of the pages about installation. On a cluster with a node they run as they are
 * shown; without one, what Helm is given is rendered and the files are looked for.
 */
class DeploymentDocsIT {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  @TempDir Path dir;

  private static boolean cluster() {
    return Stream.of("TEST_KUBECONFIG", "TEST_IMAGE_LOAD", "KUBECTL", "HELM")
        .allMatch(name -> System.getenv(name) != null);
  }

  @Test
  void pages() throws Exception {
    List<String> commands = new ArrayList<>();
    List<String> last = new ArrayList<>();
    for (String command : DocCommands.of(ROOT.resolve("docs/install.md")).commands()) {
      (command.startsWith("helm uninstall") ? last : commands).add(command);
    }
    commands.addAll(DocCommands.of(ROOT.resolve("docs/troubleshooting.md")).commands());
    commands.addAll(last);
    if (cluster()) {
      Deployed.loadImages();
      run("kubectl delete namespace pipeops-system --ignore-not-found --wait=true");
    }
    boolean installed = false;
    try {
      for (String command : commands) {
        if (command.startsWith("mvn ")) {
          assertTrue(Files.isDirectory(Program.IMAGE.resolve("runtime")));
        } else if (forAnotherPlace(command)) {
          offline(command);
        } else if (!cluster()) {
          offline(command);
        } else if (command.startsWith("kubectl create namespace") && installed) {
          offline(command);
        } else {
          installed |= command.startsWith("helm install agent");
          run(command);
        }
      }
    } finally {
      if (cluster()) {
        run("kubectl delete namespace pipeops-system --ignore-not-found --wait=false");
      }
    }
  }

  @Test
  void readme() throws Exception {
    for (String command : DocCommands.of(ROOT.resolve("README.md")).commands()) {
      if (command.startsWith("helm ")) {
        offline(command);
      }
    }
  }

  /** What needs a hub somewhere else, or Helm's place taken by the manifests. */
  private static boolean forAnotherPlace(String command) {
    return Stream.of("docs/scenarios", "installer/manifests", "create secret", "create configmap")
        .anyMatch(command::contains);
  }

  private static void offline(String command) throws IOException {
    List<String> words = List.of(command.split(" "));
    if (command.startsWith("helm install") || command.startsWith("helm upgrade")) {
      Map<String, Object> values = new LinkedHashMap<>();
      List<Path> files = new ArrayList<>();
      for (int i = 0; i < words.size() - 1; i++) {
        if (words.get(i).equals("--set")) {
          String[] pair = words.get(i + 1).split("=", 2);
          values.put(pair[0], pair[1]);
        } else if (words.get(i).equals("-f")) {
          files.add(ROOT.resolve(words.get(i + 1)));
        }
      }
      if (command.contains("--reuse-values")) {
        values.putAll(Map.of("controlPlane.hubRelease", "hub", "controlPlane.clusterName", "edge"));
      }
      Chart chart = words.get(3).endsWith("pipeops-hub") ? Chart.HUB : Chart.AGENT;
      assertEquals(chart.folder(), ROOT.resolve(words.get(3)));
      assertFalse(
          chart.renderBare(words.get(2), values, files.toArray(Path[]::new)).isBlank(), command);
    } else if (command.startsWith("kubectl apply -f ")) {
      assertTrue(Files.exists(ROOT.resolve(words.get(3))), command);
    } else {
      assertTrue(command.matches("(helm (test|uninstall)|kubectl) .*"), command);
    }
  }

  private void run(String shown) throws Exception {
    String command = shown;
    if (command.startsWith("helm install hub")) {
      command += " --set persistence.enabled=false --set resources.requests.cpu=50m";
    }
    if (command.startsWith("helm install") || command.startsWith("helm upgrade")) {
      command += " --wait --timeout 180s";
    }
    command =
        command
            .replaceFirst("^kubectl", System.getenv("KUBECTL"))
            .replaceFirst("^helm", System.getenv("HELM"));
    Path output = dir.resolve("output");
    ProcessBuilder builder =
        new ProcessBuilder("bash", "-c", command)
            .directory(ROOT.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().put("KUBECONFIG", System.getenv("TEST_KUBECONFIG"));
    Process process = builder.start();
    assertTrue(process.waitFor(240, TimeUnit.SECONDS), shown + " does not end");
    assertEquals(0, process.exitValue(), shown + "\n" + Files.readString(output));
  }
}
