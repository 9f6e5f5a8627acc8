package io.pipeops.hub.store;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * How the hub keeps its state.
 *
 * @param stateDir the folder for the embedded database, keys, certificates and first tokens
 * @param tokensDir the folder that others put the first tokens into; empty to generate them
 * @param databaseUrl {@code jdbc:postgresql://host:port/name}; empty for the embedded database
 * @param databaseUser the user at PostgreSQL
 * @param databasePassword its password; a secret
 * @param databaseConnections how many connections the hub opens at most
 * @param databaseWait how long a request waits for a connection before it is refused
 * @param heartbeatWrites how often heartbeats that came meanwhile are written to the database
 * @param secretKey 32 bytes in base64 that encrypt the clusters' tokens; empty to keep a generated
 *     key in the state directory; a secret
 */
public record StoreSettings(
    Path stateDir,
    Optional<Path> tokensDir,
    String databaseUrl,
    String databaseUser,
    String databasePassword,
    int databaseConnections,
    Duration databaseWait,
    Duration heartbeatWrites,
    String secretKey) {
  /** The embedded database with the defaults. */
  public static StoreSettings embedded(Path stateDir) {
    return new StoreSettings(
        stateDir,
        Optional.empty(),
        "",
        "",
        "",
        4,
        Duration.ofSeconds(5),
        Duration.ofSeconds(5),
        "");
  }

  /** The same folder with PostgreSQL. */
  public StoreSettings withDatabase(String url, String user, String password) {
    return new StoreSettings(
        stateDir,
        tokensDir,
        url,
        user,
        password,
        databaseConnections,
        databaseWait,
        heartbeatWrites,
        secretKey);
  }

  /** Without the secrets. */
  @Override
  public String toString() {
    return "StoreSettings[stateDir=%s, databaseUrl=%s, databaseUser=%s]"
        .formatted(stateDir, databaseUrl, databaseUser);
  }
}
