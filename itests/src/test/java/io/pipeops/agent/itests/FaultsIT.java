package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Faults around an agent that starts, in the words of docs/troubleshooting.md, and their end. */
class FaultsIT {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  @TempDir static Path dir;
  static Spine spine;

  @BeforeAll
  static void start() throws Exception {
    spine = Spine.prepared(dir);
    spine.startCluster();
    spine.startHub();
  }

  @AfterAll
  static void stop() {
    if (spine != null) {
      spine.close();
    }
  }

  @Test
  void aHubWithAnotherCertificateIsNotTrusted() throws Exception {
    Path ca = dir.resolve("ca.crt");
    // A good certificate, but not the one that has signed the hub's.
    Files.writeString(ca, certificateOfTheCluster());
    spine.values.put("link.tls_ca_file", ca.toString());
    spine.startAgent();
    spine.agent().awaitLog(FaultSigns.row(4, "is not signed by a trusted CA"), LIMIT);
    assertEquals(503, spine.local("/ready").statusCode());
    assertEquals(200, spine.local("/health").statusCode());
    // The file is read again at every attempt.
    Files.copy(dir.resolve("hub/ca.crt"), ca, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    spine.awaitReady();
    spine.agent().stop();
    spine.values.put("link.tls_ca_file", dir.resolve("hub/ca.crt").toString());
  }

  private static String certificateOfTheCluster() throws Exception {
    String kubeconfig = Files.readString(Path.of(spine.values.get("kubernetes.kubeconfig")));
    String data =
        kubeconfig.replaceAll("(?s).*certificate-authority-data: *\"?([^\"\\s]+).*", "$1");
    return new String(
        java.util.Base64.getDecoder().decode(data), java.nio.charset.StandardCharsets.UTF_8);
  }

  @Test
  void anApiServerThatIsAwayAtTheStartIsWaitedFor() throws Exception {
    String direct = spine.values.get("kubernetes.kubeconfig");
    String text = Files.readString(Path.of(direct));
    URI server = URI.create(text.replaceAll("(?s).*server: *\"?([^\"\\s]+).*", "$1"));
    try (CuttingProxy proxy = new CuttingProxy(server)) {
      proxy.refuse(true);
      Path away =
          Files.writeString(
              dir.resolve("away.kubeconfig"),
              text.replace(":" + server.getPort(), ":" + proxy.port()));
      spine.values.put("kubernetes.kubeconfig", away.toString());
      spine.startAgent();
      spine.agent().awaitLog(FaultSigns.row(6, "asking again until it answers"), LIMIT);
      // The link needs no API server.
      spine.agent().awaitLog("Link is up", LIMIT);
      assertFalse(spine.agent().log().contains("Kubernetes API server answers"));
      proxy.refuse(false);
      spine.agent().awaitLog("State is stored in the cluster again", LIMIT);
      spine.agent().stop();
    }
    spine.values.put("kubernetes.kubeconfig", direct);
  }
}
