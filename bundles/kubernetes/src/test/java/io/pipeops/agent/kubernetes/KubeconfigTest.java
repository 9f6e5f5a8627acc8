package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class KubeconfigTest {
  @TempDir Path folder;

  private String file(String name, String text) throws Exception {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
    return file.toString();
  }

  private Place read(String cluster, String user) throws Exception {
    return Kubeconfig.read(
        file(
            "config",
            """
            apiVersion: v1
            kind: Config
            current-context: c
            contexts:
            - name: other
              context: {cluster: nowhere, user: nobody}
            - name: c
              context: {cluster: k, user: u, namespace: team}
            clusters:
            - name: k
              cluster: %s
            users:
            - name: u
              user: %s
            """
                .formatted(cluster, user)));
  }

  private static String base64(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @CsvSource({
    "https://10.0.0.1:6443,https://10.0.0.1:6443",
    "https://api.example.test,https://api.example.test:443",
    "http://127.0.0.1:8001/,http://127.0.0.1:8001",
    "https://rancher.example.test/k8s/clusters/c-1/,https://rancher.example.test:443/k8s/clusters/c-1",
    "'https://[2001:db8::1]:6443','https://[2001:db8::1]:6443'"
  })
  void findsTheServer(String server, String base) throws Exception {
    assertEquals(base, read("{server: '" + server + "'}", "{token: t}").base().toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "''",
        "'not a url'",
        "ftp://x",
        "https://",
        "'https://a b'",
        "https://u:p@host",
        "[a]",
        "{}"
      })
  void refusesABadServer(String server) {
    assertThrows(AccessException.class, () -> read("{server: " + server + "}", "{token: t}"));
  }

  @Test
  void readsNamespaceTokenAndTrust() throws Exception {
    Place place = read("{server: https://x, insecure-skip-tls-verify: true}", "{token: ' t1 '}");
    assertEquals("team", place.namespace());
    assertEquals(Optional.of("t1"), place.token().get());
    assertTrue(place.insecure());
    assertNull(place.identity());
    assertFalse(place.mountedToken());
    assertEquals("", place.ca().get());
  }

  @Test
  void readsCertificatesFromDataAndFromFilesBesideIt() throws Exception {
    Certificates made = Certificates.make(folder, "client", "EC");
    file("pki/ca.crt", made.certificatePem());
    file("pki/client.crt", made.certificatePem());
    file("pki/client.key", Certificates.oldKeyPem(made.key));
    Place files =
        read(
            "{server: https://x, certificate-authority: pki/ca.crt}",
            "{client-certificate: pki/client.crt, client-key: pki/client.key}");
    assertNotNull(files.identity());
    assertEquals(made.certificatePem().trim(), files.ca().get().trim());
    Place data =
        read(
            "{server: https://x, certificate-authority-data: "
                + base64(made.certificatePem())
                + "}",
            "{client-certificate-data: %s, client-key-data: %s}"
                .formatted(base64(made.certificatePem()), base64(made.keyPem())));
    assertNotNull(data.identity());
    assertEquals(made.certificatePem(), data.ca().get());
  }

  @Test
  void theTokenFileIsReadAgainWhenItChanges() throws Exception {
    String path = file("token", "one\n");
    Place place = read("{server: https://x}", "{token: fixed, tokenFile: token}");
    assertEquals(Optional.of("one"), place.token().get());
    Files.delete(Path.of(path));
    file("token", "another");
    Await.until("rotated", () -> place.token().get().equals(Optional.of("another")));
    Files.delete(Path.of(path));
    assertEquals(Optional.of("another"), place.token().get());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{exec: {command: aws, apiVersion: v1}}",
        "{auth-provider: {name: gcp}}",
        "{username: u, password: p}",
        "{client-certificate-data: QUJD}",
        "{client-key-data: QUJD, client-certificate-data: QUJD}",
        "{client-key-data: '***', client-certificate-data: QUJD}",
        "{client-certificate: missing.crt, client-key: missing.key}",
        "{token: [a]}"
      })
  void refusesUsersThatItCannotServe(String user) {
    AccessException thrown =
        assertThrows(AccessException.class, () -> read("{server: https://x}", user));
    assertFalse(thrown.getMessage().isBlank());
  }

  @Test
  void saysWhatToDoAboutExec() {
    AccessException thrown =
        assertThrows(
            AccessException.class, () -> read("{server: https://x}", "{exec: {command: aws}}"));
    assertTrue(thrown.getMessage().contains("user u"), thrown.getMessage());
    assertTrue(thrown.getMessage().contains("use a token"), thrown.getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{server: https://x, proxy-url: http://p}",
        "{server: https://x, tls-server-name: y}",
        "{server: https://x, insecure-skip-tls-verify: perhaps}",
        "{server: https://x, certificate-authority: missing}"
      })
  void refusesClustersThatItCannotServe(String cluster) {
    assertThrows(AccessException.class, () -> read(cluster, "{token: t}"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "just text",
        "- a",
        "{",
        "a: b: c",
        "current-context: c",
        "current-context: c\ncontexts: []",
        "current-context: c\ncontexts: [{name: c}]",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]",
        "current-context: c\ncontexts: nothing",
        "current-context: [c]",
        "!!java.net.URL [x]",
        "&a [*a]"
      })
  void refusesBrokenFiles(String text) throws Exception {
    String path = file("config", text);
    assertThrows(AccessException.class, () -> Kubeconfig.read(path));
  }

  @Test
  void acceptsJsonAndAMissingUser() throws Exception {
    String path =
        file(
            "config",
            "{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":"
                + "{\"cluster\":\"k\"}}],\"clusters\":[{\"name\":\"k\",\"cluster\":"
                + "{\"server\":\"https://x\"}}]}");
    assertEquals(Optional.empty(), Kubeconfig.read(path).token().get());
  }

  @Test
  void mergesSeveralFilesAndTheFirstWins() throws Exception {
    String first =
        file(
            "a/config",
            "current-context: c\nclusters: [{name: k, cluster: {server: https://first}}]");
    String second =
        file(
            "b/config",
            """
            current-context: d
            contexts: [{name: c, context: {cluster: k, user: u}}]
            clusters: [{name: k, cluster: {server: https://second}}]
            users: [{name: u, user: {tokenFile: token}}]
            """);
    file("b/token", "from b");
    Place place =
        Kubeconfig.read(String.join(File.pathSeparator, first, "/nowhere/at/all", second));
    assertEquals("first", place.base().getHost());
    assertEquals(Optional.of("from b"), place.token().get());
    assertThrows(
        AccessException.class, () -> Kubeconfig.read("/nowhere" + File.pathSeparator + "/no"));
  }

  @Test
  void aBrokenFileNeverShowsItsSecretsInTheMessage() throws Exception {
    String path = file("config", "users:\n- user: {token: top-secret\n  x: [");
    AccessException thrown = assertThrows(AccessException.class, () -> Kubeconfig.read(path));
    assertFalse(thrown.getMessage().contains("top-secret"), thrown.getMessage());
    assertNull(thrown.getCause());
  }

  @Test
  void anyMutationOfAValidFileIsReadOrRefused() throws Exception {
    Certificates made = Certificates.make(folder, "client", "EC");
    String valid =
        """
        apiVersion: v1
        current-context: c
        contexts: [{name: c, context: {cluster: k, user: u, namespace: n}}]
        clusters: [{name: k, cluster: {server: "https://x:1/y", certificate-authority-data: %s}}]
        users: [{name: u, user: {client-certificate-data: %s, client-key-data: %s}}]
        """
            .formatted(
                base64(made.certificatePem()),
                base64(made.certificatePem()),
                base64(made.keyPem()));
    Random random = new Random(7);
    String alphabet = "{}[]:,&*!|>'\"%@ \n\tabc019-\u0000é";
    for (int i = 0; i < 400; i++) {
      StringBuilder text = new StringBuilder(valid);
      for (int edit = 0; edit <= random.nextInt(4); edit++) {
        int at = random.nextInt(text.length());
        switch (random.nextInt(3)) {
          case 0 -> text.deleteCharAt(at);
          case 1 -> text.insert(at, alphabet.charAt(random.nextInt(alphabet.length())));
          default -> text.setLength(at + 1);
        }
      }
      String path = file("config", text.toString());
      try {
        new LocatedApiServer(Kubeconfig.read(path), "n", "d").identified();
      } catch (AccessException e) {
        assertNotNull(e.getMessage());
      }
    }
  }

  @Test
  void findsThePodsFiles() throws Exception {
    assertEquals(Optional.empty(), InPod.find(folder, Map.of()));
    file("token", "pod-token\n");
    file("namespace", "agents\n");
    Place place =
        InPod.find(
                folder,
                Map.of("KUBERNETES_SERVICE_HOST", "10.43.0.1", "KUBERNETES_SERVICE_PORT", "443"))
            .orElseThrow();
    assertEquals("https://10.43.0.1:443", place.base().toString());
    assertEquals(Optional.of("pod-token"), place.token().get());
    assertEquals("agents", place.namespace());
    assertTrue(place.mountedToken());
    assertEquals(
        "https://[fd00::1]:443",
        InPod.find(folder, Map.of("KUBERNETES_SERVICE_HOST", "fd00::1"))
            .orElseThrow()
            .base()
            .toString());
    assertEquals(
        "https://kubernetes.default.svc:443",
        InPod.find(folder, Map.of()).orElseThrow().base().toString());
  }

  @ParameterizedTest
  @CsvSource({
    "'search agents.svc.example.org svc.example.org example.org',example.org",
    "'search svc.cluster.test.',cluster.test",
    "'nameserver 1.1.1.1',cluster.local",
    "'search home.lan',cluster.local",
    "'#search x.svc.wrong',cluster.local",
    "'  search   a.svc.spaced   ',spaced"
  })
  void findsTheClusterDomain(String line, String domain) throws Exception {
    assertEquals(
        domain, ClusterDomain.of(Path.of(file("resolv.conf", "options ndots:5\n" + line + "\n"))));
    assertEquals("cluster.local", ClusterDomain.of(folder.resolve("missing")));
  }
}
