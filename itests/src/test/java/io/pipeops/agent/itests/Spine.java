package io.pipeops.agent.itests;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/**
 * A hub and an agent as two processes of the distribution. The cluster is a real one, or the
 * embedded Kubernetes API in a third process.
 */
public final class Spine implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Duration START = Duration.ofSeconds(60);

  public final Path dir;
  public final Path settings;
  public final Map<String, String> values = new LinkedHashMap<>();

  /** Further settings of the hub, as name=value. */
  public final List<String> hubSettings = new ArrayList<>();

  /** Further variables of the agent's environment. */
  public final Map<String, String> environment = new LinkedHashMap<>();

  private Program cluster;
  private Program hub;
  private Program agent;
  private HttpClient client;

  private Spine(Path dir) {
    this.dir = dir;
    this.settings = dir.resolve("settings.yaml");
  }

  /** Both processes on the embedded Kubernetes API, registered and ready. */
  public static Spine embedded(Path dir) throws Exception {
    Spine spine = new Spine(dir);
    spine.startCluster();
    spine.startHub();
    spine.startAgent();
    spine.awaitReady();
    return spine;
  }

  /** Both processes on a real cluster. */
  public static Spine onCluster(Path dir, Path kubeconfig) throws Exception {
    Spine spine = new Spine(dir);
    spine.values.put("kubernetes.kubeconfig", kubeconfig.toString());
    spine.startHub();
    spine.startAgent();
    spine.awaitReady();
    return spine;
  }

  /** Nothing runs yet: for tests of a start in another order. */
  public static Spine prepared(Path dir) {
    return new Spine(dir);
  }

  public void startHub() throws IOException {
    startHub("0");
  }

  public void startHub(String port) throws IOException {
    Files.deleteIfExists(dir.resolve("hub-run/hub.address"));
    List<String> settings = new ArrayList<>(hubSettings);
    settings.addAll(
        List.of(
            "hub.port=" + port,
            "hub.state_dir=" + dir.resolve("hub"),
            "http.port=0",
            "http.host=127.0.0.1"));
    List<String> arguments = new ArrayList<>();
    for (String setting : settings) {
      arguments.add("--set");
      arguments.add(setting);
    }
    hub = Program.start(dir, "hub", "hub", Map.of(), arguments.toArray(String[]::new));
    String address = hub.address("hub.address");
    Await.until("tokens of the hub", START, () -> Files.exists(dir.resolve("hub/agent.token")));
    values.putIfAbsent("link.url", address);
  }

  /** The embedded Kubernetes API in a process of its own, so that it outlives hub and agent. */
  public void startCluster() throws IOException {
    Path kubeconfig = dir.resolve("embedded.kubeconfig");
    cluster =
        Program.start(
            dir,
            "cluster",
            "hub",
            Map.of(),
            "--set",
            "features.hub.enabled=false",
            "--set",
            "features.sandbox.enabled=true",
            "--set",
            "sandbox.kubeconfig_file=" + kubeconfig,
            "--set",
            "http.port=0",
            "--set",
            "http.host=127.0.0.1");
    Await.until("the embedded cluster " + cluster.log(), START, () -> Files.exists(kubeconfig));
    values.put("kubernetes.kubeconfig", kubeconfig.toString());
  }

  public void startAgent(String... arguments) throws IOException {
    values.putIfAbsent("link.token_file", dir.resolve("hub/agent.token").toString());
    if (!"true".equals(values.get("link.insecure"))) {
      values.putIfAbsent("link.tls_ca_file", dir.resolve("hub/ca.crt").toString());
    }
    values.putIfAbsent("link.cluster_name", "itest");
    values.putIfAbsent("tunnel.agent_credentials", "true");
    values.putIfAbsent("http.port", "0");
    values.putIfAbsent("http.host", "127.0.0.1");
    writeSettings();
    Files.deleteIfExists(dir.resolve("agent-run/http.address"));
    String[] all = new String[arguments.length + 2];
    all[0] = "--config";
    all[1] = settings.toString();
    System.arraycopy(arguments, 0, all, 2, arguments.length);
    agent = Program.start(dir, "agent", "run", environment, all);
    agent.address("http.address");
  }

  /** Writes the settings file anew, whole, as a mounted ConfigMap would change. */
  public void writeSettings() throws IOException {
    StringBuilder yaml = new StringBuilder();
    values.forEach((k, v) -> yaml.append(k).append(": \"").append(v).append("\"\n"));
    Path next = Files.writeString(dir.resolve("settings.next"), yaml);
    Files.move(next, settings, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
  }

  public void awaitReady() {
    Await.until("agent ready: " + agent.log(), START, () -> local("/ready").statusCode() == 200);
  }

  public Program hub() {
    return hub;
  }

  public Program agent() {
    return agent;
  }

  public String hubAddress() {
    return hub.address("hub.address");
  }

  public String admin() throws IOException {
    return Files.readString(dir.resolve("hub/admin.token")).strip();
  }

  public HttpClient client() throws IOException, GeneralSecurityException {
    if (client == null) {
      Path ca = dir.resolve("hub/ca.crt");
      client =
          HttpClient.newBuilder()
              .version(HttpClient.Version.HTTP_1_1)
              .sslContext(Files.exists(ca) ? trust(ca) : SSLContext.getDefault())
              .connectTimeout(Duration.ofSeconds(10))
              .build();
    }
    return client;
  }

  /** The agent's local HTTP port. */
  public HttpResponse<String> local(String path) throws Exception {
    return client()
        .send(
            HttpRequest.newBuilder(URI.create(agent.address("http.address") + path))
                .timeout(Duration.ofSeconds(10))
                .build(),
            BodyHandlers.ofString());
  }

  /** The hub's REST API as its administrator. */
  public JsonNode rest(String method, String path, String body) throws Exception {
    HttpResponse<String> response =
        client()
            .send(
                HttpRequest.newBuilder(URI.create(hubAddress() + path))
                    .timeout(Duration.ofSeconds(10))
                    .header("Authorization", "Bearer " + admin())
                    .header("Content-Type", "application/json")
                    .method(method, HttpRequest.BodyPublishers.ofString(body))
                    .build(),
                BodyHandlers.ofString());
    if (response.statusCode() >= 300) {
      throw new IOException(
          method + " " + path + ": " + response.statusCode() + " " + response.body());
    }
    return JSON.readTree(response.body());
  }

  public String clusterId() throws Exception {
    JsonNode answer = rest("GET", "/api/v1/clusters", "");
    JsonNode list = answer.isArray() ? answer : answer.path("items");
    return list.get(0).path("id").asText();
  }

  /** A kubeconfig through the tunnel, written into the test's folder. */
  public Path kubeconfig() throws Exception {
    Path file = dir.resolve("kubeconfig");
    if (!Files.exists(file)) {
      HttpResponse<String> response =
          client()
              .send(
                  HttpRequest.newBuilder(
                          URI.create(
                              hubAddress() + "/api/v1/clusters/" + clusterId() + "/kubeconfig"))
                      .header("Authorization", "Bearer " + admin())
                      .header("Content-Type", "application/json")
                      .POST(HttpRequest.BodyPublishers.ofString("{}"))
                      .build(),
                  BodyHandlers.ofString());
      Files.writeString(file, response.body());
    }
    return file;
  }

  /** A request to the cluster's API through hub and agent. */
  public HttpRequest.Builder api(String path) throws Exception {
    return api(kubeconfig(), path);
  }

  static HttpRequest.Builder api(Path kubeconfig, String path) throws Exception {
    Map<?, ?> config =
        (Map<?, ?>)
            new Load(LoadSettings.builder().build()).loadFromString(Files.readString(kubeconfig));
    String server = (String) first(config, "clusters", "cluster").get("server");
    String token = (String) first(config, "users", "user").get("token");
    return HttpRequest.newBuilder(URI.create(server + path))
        .timeout(Duration.ofSeconds(30))
        .header("Authorization", "Bearer " + token);
  }

  private static Map<?, ?> first(Map<?, ?> config, String list, String item) {
    return (Map<?, ?>) ((Map<?, ?>) ((java.util.List<?>) config.get(list)).get(0)).get(item);
  }

  public HttpResponse<String> get(String path) throws Exception {
    return client().send(api(path).build(), BodyHandlers.ofString());
  }

  public static SSLContext trust(Path ca) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (InputStream in = Files.newInputStream(ca)) {
      store.setCertificateEntry(
          "ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, factory.getTrustManagers(), null);
    return context;
  }

  @Override
  public void close() {
    if (agent != null) {
      agent.close();
    }
    if (hub != null) {
      hub.close();
    }
    if (cluster != null) {
      cluster.close();
    }
  }
}
