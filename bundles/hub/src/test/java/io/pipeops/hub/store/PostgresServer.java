package io.pipeops.hub.store;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A real PostgreSQL of the machine in a temporary folder, for tests. It refuses to run as root, so
 * root starts it as the user {@code postgres} or {@code nobody}.
 */
final class PostgresServer implements AutoCloseable {
  private final Path bin;
  private final Path home;
  private final List<String> as;
  private final int port;
  private Process process;

  private PostgresServer(Path bin, Path home, List<String> as, int port) {
    this.bin = bin;
    this.home = home;
    this.as = as;
    this.port = port;
  }

  /** Why none can be started here; empty if one can. */
  static Optional<String> missing() {
    return binaries().isEmpty()
        ? Optional.of("no PostgreSQL server in /usr/lib/postgresql/*/bin or PG_BIN")
        : Optional.empty();
  }

  private static Optional<Path> binaries() {
    List<Path> candidates = new ArrayList<>();
    String set = System.getenv("PG_BIN");
    if (set != null) {
      candidates.add(Path.of(set));
    }
    Path debian = Path.of("/usr/lib/postgresql");
    if (Files.isDirectory(debian)) {
      try (Stream<Path> versions = Files.list(debian)) {
        versions.sorted(Comparator.reverseOrder()).forEach(v -> candidates.add(v.resolve("bin")));
      } catch (IOException e) {
        return Optional.empty();
      }
    }
    return candidates.stream().filter(dir -> Files.isExecutable(dir.resolve("initdb"))).findFirst();
  }

  static PostgresServer start() throws IOException, InterruptedException {
    Path home = Files.createTempDirectory("hub-postgres");
    List<String> as = List.of();
    if (System.getProperty("user.name").equals("root")) {
      String user =
          Files.readString(Path.of("/etc/passwd")).contains("postgres:") ? "postgres" : "nobody";
      as = List.of("setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups");
      Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("rwxrwxrwx"));
    }
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    PostgresServer server = new PostgresServer(binaries().orElseThrow(), home, as, port);
    server.run(
        "initdb",
        "-D",
        server.data(),
        "-U",
        "hub",
        "--auth=trust",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C");
    server.up();
    return server;
  }

  private String data() {
    return home.resolve("data").toString();
  }

  private ProcessBuilder command(String program, String... arguments) {
    List<String> command = new ArrayList<>(as);
    command.add(bin.resolve(program).toString());
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command)
        .directory(home.toFile())
        .redirectErrorStream(true)
        .redirectOutput(home.resolve(program + ".out").toFile());
  }

  private void run(String program, String... arguments) throws IOException, InterruptedException {
    Process run = command(program, arguments).start();
    if (!run.waitFor(60, TimeUnit.SECONDS) || run.exitValue() != 0) {
      run.destroyForcibly();
      throw new IOException(program + ": " + Files.readString(home.resolve(program + ".out")));
    }
  }

  /** Starts the server and waits until it answers. */
  void up() throws IOException, InterruptedException {
    process =
        command(
                "postgres",
                "-D",
                data(),
                "-p",
                Integer.toString(port),
                "-k",
                home.toString(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=20",
                "-c",
                "shared_buffers=16MB")
            .start();
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (true) {
      Process ready =
          command("pg_isready", "-h", "127.0.0.1", "-p", Integer.toString(port)).start();
      if (ready.waitFor() == 0) {
        return;
      }
      if (!process.isAlive() || System.nanoTime() > end) {
        throw new IOException("postgres: " + Files.readString(home.resolve("postgres.out")));
      }
    }
  }

  /** Stops the server as a power cut would. */
  void down() throws InterruptedException {
    // SIGQUIT to the postmaster ends its children too, which SIGKILL would leave behind.
    new ProcessHandleSignal(process).quit();
    process.waitFor(20, TimeUnit.SECONDS);
  }

  private record ProcessHandleSignal(Process process) {
    void quit() throws InterruptedException {
      try {
        new ProcessBuilder("kill", "-QUIT", Long.toString(process.pid())).start().waitFor();
      } catch (IOException e) {
        process.destroyForcibly();
      }
    }
  }

  /** A new, empty database. */
  String database(String name) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", "hub");
    try (Connection connection = new org.postgresql.Driver().connect(url("postgres"), properties);
        Statement create = connection.createStatement()) {
      create.execute("CREATE DATABASE " + name);
    }
    return url(name);
  }

  private String url(String name) {
    return "jdbc:postgresql://127.0.0.1:" + port + "/" + name;
  }

  @Override
  public void close() throws IOException {
    try {
      down();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    try (Stream<Path> files = Files.walk(home)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
