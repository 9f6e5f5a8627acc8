import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * Run by the build: starts hub and agent of the assembled image against the embedded Kubernetes API, the agent as its
 * chart would (settings from a file, the lead by a Lease, the hub by its name, JSON for a log), sends some requests
 * through both, and lets each process write an archive of the classes that it used. Usage: {@code Train <image folder>}.
 */
class Train {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  /** From 25 on the archive holds classes that are linked already and what the training run learned of them. */
  private static final boolean AHEAD_OF_TIME = Runtime.version().feature() >= 25;

  /**
   * A run time whose cache was trained like this compiles what the start uses by the first tier at once, and never again: the
   * start in the small profile costs a sixth less. What the second tier does to every byte of traffic (compiler.json) has to
   * stay unknown, or it would stay with the first, and so has P-256's multiplication, for which the second tier knows one
   * instruction; hashes and the rest of the handshakes' arithmetic do stay there, and are not worth the second tier's time. The
   * standard profile takes the classes only.
   */
  private static final String FIRST_TIER_ONLY =
      " -XX:TieredStopAtLevel=1 -XX:CompileCommand=quiet"
          + " -XX:CompileCommand=exclude,com/sun/crypto/provider/*.*"
          + " -XX:CompileCommand=exclude,sun/security/util/math/intpoly/IntegerPolynomial1305.*"
          + " -XX:CompileCommand=exclude,sun/security/util/math/intpoly/MontgomeryIntegerPolynomialP256.mult";

  private final Path image;
  private final Path work;

  private Train(Path image, Path work) {
    this.image = image;
    this.work = work;
  }

  public static void main(String[] args) throws Exception {
    Path image = Path.of(args[0]).toAbsolutePath();
    Path work = Files.createTempDirectory("train-");
    try {
      new Train(image, work).run();
    } finally {
      delete(work);
    }
  }

  private void run() throws Exception {
    Path state = work.resolve("hub");
    Path ca = state.resolve("ca.crt");
    Process hub =
        start(
            "hub",
            Map.of(),
            "--set", "hub.port=0",
            "--set", "hub.state_dir=" + state,
            "--set", "http.port=0",
            "--set", "http.host=127.0.0.1",
            "--set", "features.sandbox.enabled=true",
            "--set", "sandbox.kubeconfig_file=" + work.resolve("embedded.kubeconfig"));
    try {
      String hubAddress = address(hub, "hub", "hub.address").replace("127.0.0.1", "localhost");
      await(hub, "hub", () -> Files.exists(work.resolve("embedded.kubeconfig")) && Files.exists(state.resolve("agent.token")));
      Path settings =
          Files.writeString(
              work.resolve("config.yaml"),
              """
              features: {}
              http: {port: 0, host: 127.0.0.1}
              kubernetes:
                kubeconfig: %s
              leader:
                election: always
                replicas: 1
              link:
                cluster_name: training
                tls_ca_file: %s
                token_file: %s
                url: %s
              tunnel: {agent_credentials: true}
              """
                  .formatted(work.resolve("embedded.kubeconfig"), ca, state.resolve("agent.token"), hubAddress));
      Process agent =
          start(
              "run",
              Map.of("PIPEOPS_MEMORY_PROFILE", "small", "POD_NAME", "training-0"),
              "--config=" + settings);
      try {
        String local = address(agent, "run", "http.address");
        drive(hubAddress, local, ca, state, agent);
      } finally {
        stop(agent, "agent");
      }
    } finally {
      stop(hub, "hub");
    }
    for (String program : List.of("agent", "hub")) {
      Path archive = archive(program);
      if (!Files.exists(archive)) {
        throw new IOException("The training run left no " + archive + "\n" + log(program.equals("agent") ? "run" : program));
      }
      System.out.println(archive.getFileName() + ": " + Files.size(archive) / 1024 + " KiB");
    }
  }

  /** What an operator and a kubectl would ask for. */
  private void drive(String hub, String local, Path ca, Path state, Process agent) throws Exception {
    HttpClient client = HttpClient.newBuilder().sslContext(trust(ca)).connectTimeout(Duration.ofSeconds(10)).build();
    await(agent, "run", () -> get(client, local + "/ready?wait=9", "").statusCode() == 200);
    String admin = Files.readString(state.resolve("admin.token")).strip();
    String clusters = get(client, hub + "/api/v1/clusters", admin).body();
    String id = find("\"id\"\\s*:\\s*\"([^\"]+)\"", clusters);
    HttpResponse<String> config =
        client.send(
            HttpRequest.newBuilder(URI.create(hub + "/api/v1/clusters/" + id + "/kubeconfig"))
                .header("Authorization", "Bearer " + admin)
                .POST(HttpRequest.BodyPublishers.ofString("{}"))
                .header("Content-Type", "application/json")
                .build(),
            HttpResponse.BodyHandlers.ofString());
    String server = find("server:\\s*\"?([^\"\\s]+)", config.body());
    String token = find("token:\\s*\"?([^\"\\s]+)", config.body());
    for (int i = 0; i < 20; i++) {
      for (String path : List.of("/version", "/api", "/apis", "/api/v1/namespaces", "/api/v1/namespaces/demo/pods", "/api/v1/nodes?limit=5", "/apis/apps/v1/deployments", "/api/v1/namespaces/demo/pods?watch=true&timeoutSeconds=1", "/nothing")) {
        if (i == 0 || !path.contains("watch")) {
          get(client, server + path, token);
        }
      }
      HttpRequest.Builder post = HttpRequest.newBuilder(URI.create(server + "/api/v1/namespaces/demo/configmaps")).header("Authorization", "Bearer " + token).header("Content-Type", "application/json");
      client.send(post.POST(HttpRequest.BodyPublishers.ofString("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"training-" + i + "\"}}")).build(), HttpResponse.BodyHandlers.ofString());
    }
    for (String path : List.of("/health", "/ready", "/version", "/metrics", "/api/features", "/nothing")) {
      get(client, local + path, "");
    }
  }

  private static HttpResponse<String> get(HttpClient client, String url, String token) throws IOException, InterruptedException {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20));
    if (!token.isEmpty()) {
      request.header("Authorization", "Bearer " + token);
    }
    return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static String find(String pattern, String text) throws IOException {
    Matcher matcher = Pattern.compile(pattern).matcher(text);
    if (!matcher.find()) {
      throw new IOException("No " + pattern + " in the hub's answer: " + text);
    }
    return matcher.group(1);
  }

  private Process start(String command, Map<String, String> env, String... arguments) throws IOException {
    List<String> line = new ArrayList<>(List.of(image.resolve("bin/pipeops-agent").toString(), command, "--run-dir", work.resolve(command + "-run").toString()));
    line.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true).redirectOutput(work.resolve(command + ".log").toFile());
    builder.environment().keySet().removeIf(k -> k.startsWith("PIPEOPS_") || k.startsWith("AGENT_") || k.startsWith("HUB_"));
    builder.environment().putAll(env);
    // The run time's metaspace limit would bound the archive too, so the training run has more.
    Path archive = archive(command.equals("run") ? "agent" : command);
    Files.deleteIfExists(archive);
    String write = (AHEAD_OF_TIME ? "-XX:AOTCacheOutput=" : "-XX:ArchiveClassesAtExit=") + archive;
    if (AHEAD_OF_TIME && command.equals("run")) {
      write += FIRST_TIER_ONLY;
    }
    builder.environment().put("PIPEOPS_JAVA_OPTIONS", "-XX:MaxMetaspaceSize=256m -Xmx256m " + write);
    return builder.start();
  }

  private Path archive(String program) {
    return image.resolve("lib/" + program + (AHEAD_OF_TIME ? ".aot" : ".jsa"));
  }

  private String address(Process process, String command, String file) throws Exception {
    Path path = work.resolve(command + "-run").resolve(file);
    await(process, command, () -> Files.exists(path) && !Files.readString(path).isBlank());
    return Files.readString(path).strip();
  }

  private interface Condition {
    boolean met() throws Exception;
  }

  private void await(Process process, String command, Condition condition) throws Exception {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      try {
        if (condition.met()) {
          return;
        }
      } catch (IOException e) {
        // Not there yet.
      }
      if (!process.isAlive() || System.nanoTime() > end) {
        throw new IOException("The training run of '" + command + "' did not get ready:\n" + log(command));
      }
      LockSupport.parkNanos(50_000_000);
    }
  }

  private String log(String command) throws IOException {
    Path log = work.resolve(command + ".log");
    return Files.exists(log) ? Files.readString(log) : "(no log)";
  }

  private void stop(Process process, String name) throws Exception {
    process.destroy();
    if (!process.waitFor(90, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new IOException("The training run of " + name + " does not stop:\n" + log(name.equals("agent") ? "run" : name));
    }
  }

  private static SSLContext trust(Path ca) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (InputStream in = Files.newInputStream(ca)) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, factory.getTrustManagers(), null);
    return context;
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
