package io.pipeops.hub;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.AttributeType;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** The hub's settings. */
@ObjectClassDefinition(
    name = "Hub",
    description = "A control plane and gateway that accepts agents and serves their clusters' APIs")
public @interface HubConfig {
  @AttributeDefinition(
      description =
          "Address to listen on; the default is reachable from this machine only, 0.0.0.0 from"
              + " everywhere")
  String host() default "127.0.0.1";

  @AttributeDefinition(
      description = "Port to listen on; 0 takes any free one",
      min = "0",
      max = "65535")
  int port() default 8443;

  @AttributeDefinition(
      description =
          "Folder for the embedded database, the generated CA and certificates, and the first"
              + " tokens")
  String state_dir() default "/var/lib/pipeops-hub";

  @AttributeDefinition(
      description =
          "Folder with admin.token and agent.token, the first tokens, such as a mounted Secret; empty to"
              + " keep generated ones in state_dir")
  String tokens_dir() default "";

  @AttributeDefinition(
      description =
          "Host names and addresses that agents and clients use for the hub, for the generated"
              + " certificate; localhost and this host's name are always in it")
  String[] host_names() default {};

  @AttributeDefinition(
      description =
          "PEM file with a certificate of your own and its chain; empty to use a generated one")
  String tls_cert_file() default "";

  @AttributeDefinition(description = "PEM file with the private key of tls_cert_file")
  String tls_key_file() default "";

  @AttributeDefinition(
      description =
          "PEM file with the CA that issued tls_cert_file, given to clients; empty if they trust it"
              + " anyway")
  String tls_ca_file() default "";

  @AttributeDefinition(
      description =
          "Speak plain HTTP; tokens can then be read on the network, so only behind a proxy that"
              + " speaks TLS")
  boolean insecure() default false;

  @AttributeDefinition(
      description =
          "Where agents go after registration: empty to stay on the connection they came with, self"
              + " for the gateway endpoint of this hub, or the wss:// URL of another gateway")
  String gateway_url() default "";

  @AttributeDefinition(
      description =
          "Address of the hub as clients reach it, written into kubeconfigs; empty to take the one that"
              + " the kubeconfig was asked at")
  String external_url() default "";

  @AttributeDefinition(
      description =
          "Where the database is: empty for the embedded one in state_dir, or"
              + " jdbc:postgresql://host:port/name")
  String database_url() default "";

  @AttributeDefinition(description = "User at PostgreSQL")
  String database_user() default "";

  @AttributeDefinition(description = "Password at PostgreSQL", type = AttributeType.PASSWORD)
  String database_password() default "";

  @AttributeDefinition(
      description = "How many connections to the database are opened at most",
      min = "1",
      max = "64")
  int database_connections() default 4;

  @AttributeDefinition(
      description =
          "32 bytes in base64 that encrypt the clusters' tokens in the database; empty to keep a"
              + " generated key in state_dir",
      type = AttributeType.PASSWORD)
  String secret_key() default "";

  @AttributeDefinition(
      description = "Longest message of an agent in bytes; a longer one ends its connection",
      min = "1048576",
      max = "67108864")
  int max_message_bytes() default 33554432;

  @AttributeDefinition(
      description =
          "Bytes of one response that may wait for a client that reads slowly; beyond, the agent is"
              + " slowed down for stall_seconds and then the response is aborted",
      min = "65536",
      max = "1073741824")
  int stream_queue_bytes() default 8388608;

  @AttributeDefinition(
      description =
          "Bytes of all responses together that may wait for their clients; 0 for a quarter of the"
              + " heap",
      min = "0")
  long total_queue_bytes() default 0;

  @AttributeDefinition(
      description =
          "Whether agents are offered streams (yamux), which carry ports, SPDY and the fast way to"
              + " the cluster API")
  boolean yamux() default true;

  @AttributeDefinition(
      description =
          "Ports that administrators may open to TCP and UDP services of clusters, such as"
              + " 15000-15099; empty for none")
  String port_range() default "";

  @AttributeDefinition(
      description = "Address that these ports listen on; empty for that of the hub itself")
  String port_host() default "";

  @AttributeDefinition(
      description = "How many TCP connections, or UDP clients, one such port may have at a time",
      min = "1",
      max = "100000")
  int port_connections() default 1000;

  @AttributeDefinition(
      description = "How many streams to one agent may be open at a time",
      min = "1",
      max = "100000")
  int agent_streams() default 4096;

  @AttributeDefinition(
      description = "What the receive window of one stream may grow to, in bytes",
      min = "262144",
      max = "16777216")
  int stream_window_bytes() default 4194304;

  @AttributeDefinition(
      description = "Bytes that all streams together may hold unread; 0 for a quarter of the heap",
      min = "0")
  long stream_memory_bytes() default 0;

  @AttributeDefinition(
      description =
          "How long the session of an agent is kept when its connection is lost, so that every"
              + " stream goes on when it comes back, in seconds; 0 for not at all",
      min = "0",
      max = "3600")
  int resume_seconds() default 60;

  @AttributeDefinition(
      description =
          "Bytes for one agent that are kept until it has acknowledged them, to be sent again after a"
              + " lost connection; when they are used up, sending waits",
      min = "262144",
      max = "4194304")
  int resume_max_bytes() default 4194304;

  @AttributeDefinition(
      description = "How long one slow client may hold up the connection of an agent",
      min = "0",
      max = "10")
  int stall_seconds() default 2;

  @AttributeDefinition(description = "How often agents are pinged", min = "1", max = "300")
  int ping_seconds() default 10;

  @AttributeDefinition(
      description = "How long an agent may be silent before its connection is closed",
      min = "2",
      max = "900")
  int dead_seconds() default 30;

  @AttributeDefinition(
      description = "How many requests one cluster may have in flight, watches included",
      min = "1",
      max = "65536")
  int cluster_requests() default 512;

  @AttributeDefinition(
      description = "How long the answer of a cluster may take to begin",
      min = "1",
      max = "3600")
  int response_seconds() default 70;

  @AttributeDefinition(
      description =
          "Whether clients may send Impersonate headers to a cluster, and so act as anyone there")
  boolean allow_impersonation() default false;

  @AttributeDefinition(
      description =
          "Whether a line is logged for each request to a cluster: the token's id, method, path,"
              + " status, bytes and duration")
  boolean audit() default false;

  @AttributeDefinition(
      description = "How many network connections are accepted at a time",
      min = "16",
      max = "1000000")
  int max_connections() default 4096;

  @AttributeDefinition(
      description = "How many requests a client may send on one connection before it is closed",
      min = "1")
  int connection_requests() default 10000;

  @AttributeDefinition(
      description = "How long a client may take to send the headers of a request",
      min = "1",
      max = "300")
  int header_seconds() default 10;

  @AttributeDefinition(
      description = "How long a connection may be idle between requests or within a request's body",
      min = "1",
      max = "3600")
  int idle_seconds() default 60;
}
