package io.pipeops.agent.kubernetes;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * Reads kubeconfig files (YAML or JSON). As with kubectl, several files can be given, separated as
 * in PATH: the first that has an entry wins, and relative paths in a file start at its folder.
 * Programs that fetch credentials ({@code exec}, {@code auth-provider}) are refused with a message:
 * the agent's image has none to run.
 */
final class Kubeconfig {
  private static final int MAX_BYTES = 4 << 20;

  private record Source(Path folder, Map<?, ?> root) {}

  /** A named part of the file and the folder that its relative paths start from. */
  private record Entry(String what, Path folder, Map<?, ?> fields) {
    String text(String key) throws AccessException {
      Object value = fields.get(key);
      if (value == null) {
        return "";
      }
      if (value instanceof Map || value instanceof List) {
        throw new AccessException(what + ": " + key + " must be text");
      }
      return value.toString();
    }

    boolean flag(String key) throws AccessException {
      String value = text(key);
      if (!value.isEmpty() && !value.equals("true") && !value.equals("false")) {
        throw new AccessException(what + ": " + key + " must be true or false");
      }
      return value.equals("true");
    }

    Path path(String key) throws AccessException {
      String value = text(key);
      try {
        return value.isEmpty() ? null : folder.resolve(value);
      } catch (IllegalArgumentException e) {
        throw new AccessException(what + ": " + key + " is not a path", e);
      }
    }

    /** PEM from {@code key-data} or the file that {@code key} names; empty if neither is there. */
    String pem(String key) throws AccessException {
      String data = text(key + "-data");
      if (!data.isEmpty()) {
        return Pem.decode(data, what + ": " + key + "-data");
      }
      Path file = path(key);
      return file == null ? "" : read(file);
    }
  }

  private Kubeconfig() {}

  /**
   * Reads the current context.
   *
   * @throws AccessException if a file is missing, broken, or asks for something unsupported
   */
  static Place read(String paths) throws AccessException {
    List<Source> sources = new ArrayList<>();
    for (String name : paths.split(File.pathSeparator)) {
      if (!name.isBlank()) {
        Path file = path(name.trim());
        if (Files.exists(file) || paths.indexOf(File.pathSeparatorChar) < 0) {
          sources.add(new Source(file.toAbsolutePath().getParent(), parse(file)));
        }
      }
    }
    if (sources.isEmpty()) {
      throw new AccessException("none of the kubeconfig files exists: " + paths);
    }
    String contextName = current(sources);
    Entry context = entry(sources, "contexts", "context", contextName);
    Entry cluster = entry(sources, "clusters", "cluster", context.text("cluster"));
    String userName = context.text("user");
    Entry user =
        userName.isEmpty()
            ? new Entry("no user", Path.of("/"), Map.of())
            : entry(sources, "users", "user", userName);
    return place(context, cluster, user);
  }

  private static Place place(Entry context, Entry cluster, Entry user) throws AccessException {
    for (String key : List.of("exec", "auth-provider")) {
      if (user.fields.get(key) != null) {
        throw new AccessException(
            user.what
                + " gets its credentials from a program ("
                + key
                + "), which is not supported; use a token, a token file or a client certificate");
      }
    }
    for (String key : List.of("proxy-url", "tls-server-name")) {
      if (!cluster.text(key).isEmpty()) {
        throw new AccessException(cluster.what + ": " + key + " is not supported");
      }
    }
    String password = user.text("password");
    if (!password.isEmpty()) {
      throw new AccessException(user.what + ": password log-in is not supported by Kubernetes");
    }
    return new Place(
        server(cluster),
        cluster.flag("insecure-skip-tls-verify"),
        ca(cluster),
        identity(user),
        token(user),
        false,
        context.text("namespace"));
  }

  private static URI server(Entry cluster) throws AccessException {
    String text = cluster.text("server");
    try {
      URI uri = URI.create(text);
      String scheme = uri.getScheme();
      if (uri.getHost() == null
          || uri.getRawUserInfo() != null
          || uri.getRawQuery() != null
          || !("https".equals(scheme) || "http".equals(scheme))) {
        throw new AccessException(cluster.what + ": server is not an http or https address");
      }
      String path = uri.getRawPath();
      while (path.endsWith("/")) {
        path = path.substring(0, path.length() - 1);
      }
      int port = uri.getPort() >= 0 ? uri.getPort() : scheme.equals("https") ? 443 : 80;
      return URI.create(scheme + "://" + uri.getHost() + ":" + port + path);
    } catch (IllegalArgumentException e) {
      throw new AccessException(cluster.what + ": server is not an address", e);
    }
  }

  private static Supplier<String> ca(Entry cluster) throws AccessException {
    Path file = cluster.path("certificate-authority");
    String pem = cluster.pem("certificate-authority");
    if (file != null || !pem.isEmpty()) {
      Pem.certificates(pem, cluster.what + ": certificate-authority");
    }
    if (file == null || !cluster.text("certificate-authority-data").isEmpty()) {
      return () -> pem;
    }
    RotatedFile rotated = new RotatedFile(file);
    return () -> rotated.text().orElse(pem);
  }

  private static ClientIdentity identity(Entry user) throws AccessException {
    String certificate = user.pem("client-certificate");
    String key = user.pem("client-key");
    if (certificate.isEmpty() && key.isEmpty()) {
      return null;
    }
    if (certificate.isEmpty() || key.isEmpty()) {
      throw new AccessException(
          user.what + " needs both a client certificate and a client key, or neither");
    }
    return new ClientIdentity(
        Pem.certificates(certificate, user.what + ": client-certificate"),
        Pem.privateKey(key, user.what + ": client-key"));
  }

  /** As in kubectl, a token file goes before a token. */
  private static Supplier<Optional<String>> token(Entry user) throws AccessException {
    String fixed = user.text("token").trim();
    Optional<String> known = Optional.of(fixed).filter(t -> !t.isEmpty());
    Path file = user.path("tokenFile");
    if (file == null) {
      return () -> known;
    }
    RotatedFile rotated = new RotatedFile(file);
    return () -> rotated.text().or(() -> known);
  }

  private static String current(List<Source> sources) throws AccessException {
    for (Source source : sources) {
      if (source.root.get("current-context") instanceof String name && !name.isEmpty()) {
        return name;
      }
    }
    throw new AccessException("the kubeconfig has no current-context");
  }

  private static Entry entry(List<Source> sources, String list, String key, String name)
      throws AccessException {
    for (Source source : sources) {
      if (source.root.get(list) instanceof List<?> entries) {
        for (Object item : entries) {
          if (item instanceof Map<?, ?> map && name.equals(String.valueOf(map.get("name")))) {
            Object fields = map.get(key);
            if (fields instanceof Map<?, ?> found) {
              return new Entry("kubeconfig " + key + " " + name, source.folder, found);
            }
            throw new AccessException("kubeconfig " + key + " " + name + " is empty");
          }
        }
      }
    }
    throw new AccessException("the kubeconfig has no " + key + " named '" + name + "'");
  }

  private static Map<?, ?> parse(Path file) throws AccessException {
    LoadSettings settings =
        LoadSettings.builder()
            .setLabel(file.toString())
            .setCodePointLimit(MAX_BYTES)
            .setMaxAliasesForCollections(20)
            .build();
    try {
      Object root = new Load(settings).loadFromString(read(file));
      if (root instanceof Map<?, ?> map) {
        return map;
      }
      throw new AccessException("kubeconfig " + file + " is not a YAML mapping");
    } catch (YamlEngineException e) {
      // The library's message quotes the text around the fault, which may be a token.
      throw new AccessException("kubeconfig " + file + " is not valid YAML");
    } catch (RuntimeException e) {
      throw new AccessException("kubeconfig " + file + " cannot be read as YAML");
    }
  }

  private static Path path(String name) throws AccessException {
    try {
      return Path.of(name);
    } catch (IllegalArgumentException e) {
      throw new AccessException("kubeconfig path is not valid", e);
    }
  }

  private static String read(Path file) throws AccessException {
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new AccessException(file + " is larger than " + MAX_BYTES + " bytes");
      }
      return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    } catch (AccessException e) {
      throw e;
    } catch (IOException e) {
      throw new AccessException(
          "cannot read " + file + " (" + e.getClass().getSimpleName() + ")", e);
    }
  }
}
