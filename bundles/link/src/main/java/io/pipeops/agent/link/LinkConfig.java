package io.pipeops.agent.link;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.AttributeType;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Settings of the connection; the descriptions are the manual. */
@ObjectClassDefinition(name = "Link", description = "The outbound connection to the control plane")
@interface LinkConfig {
  @AttributeDefinition(
      description =
          "Address of the control plane, such as https://api.example.com; https and wss are"
              + " encrypted, http and ws need insecure")
  String url() default "";

  @AttributeDefinition(
      description = "Allows http and ws addresses, over which the token travels in clear text")
  boolean insecure() default false;

  @AttributeDefinition(
      type = AttributeType.PASSWORD,
      description = "Bearer token of the control plane; token_file is the better place for it")
  String token() default "";

  @AttributeDefinition(
      description = "File that holds the bearer token; read again at each connect, wins over token")
  String token_file() default "";

  @AttributeDefinition(description = "Name under which the cluster registers")
  String cluster_name() default "";

  @AttributeDefinition(
      description = "Fixed identity of the agent; empty means the remembered or a generated one")
  String agent_id() default "";

  @AttributeDefinition(description = "Labels sent at registration, each as key=value")
  String[] labels() default {};

  @AttributeDefinition(
      description = "File with CA certificates in PEM form, trusted besides the system's")
  String tls_ca_file() default "";

  @AttributeDefinition(
      description = "File with the client certificate chain in PEM form; needs tls_key_file")
  String tls_cert_file() default "";

  @AttributeDefinition(
      description = "File with the unencrypted client key in PEM form; needs tls_cert_file")
  String tls_key_file() default "";

  @AttributeDefinition(
      description = "Accepts any certificate of the peer; for tests only, it makes TLS worthless")
  boolean tls_insecure_skip_verify() default false;

  @AttributeDefinition(
      type = AttributeType.PASSWORD,
      description =
          "HTTP proxy for the connection, as http://user:password@host:port; empty means direct")
  String https_proxy() default "";

  @AttributeDefinition(
      description =
          "Hosts reached without the proxy: names, .suffixes, addresses and networks such as"
              + " 10.0.0.0/8, or *")
  String[] no_proxy() default {};

  @AttributeDefinition(
      min = "100",
      description = "Limit for connect, TLS and upgrade together, in milliseconds")
  long handshake_millis() default 30_000;

  @AttributeDefinition(
      min = "50",
      description = "Time between the pings sent to the peer, in milliseconds")
  long ping_millis() default 10_000;

  @AttributeDefinition(
      min = "100",
      description = "The connection counts as dead after this time without any frame, in ms")
  long read_millis() default 30_000;

  @AttributeDefinition(
      min = "1",
      description = "First wait before a reconnect, in milliseconds; it doubles each time")
  long reconnect_millis() default 500;

  @AttributeDefinition(
      min = "1",
      description = "Longest wait between two attempts to connect, in milliseconds")
  long reconnect_max_millis() default 15_000;

  @AttributeDefinition(
      min = "1",
      description = "Failed attempts at the gateway before the controller is asked again")
  int gateway_attempts() default 5;

  @AttributeDefinition(
      min = "1",
      description = "Pause between attempts while another agent holds this identity, in seconds")
  int standby_seconds() default 5;

  @AttributeDefinition(
      min = "1",
      description = "Limit for the answer to a registration, in seconds")
  int register_seconds() default 30;

  @AttributeDefinition(
      min = "1",
      description = "Limit for a registration that the peer reports as in progress, in seconds")
  int register_max_seconds() default 120;

  @AttributeDefinition(
      min = "0",
      description =
          "How long the first connect waits for the state kept in the cluster, in seconds")
  int state_wait_seconds() default 60;

  @AttributeDefinition(
      min = "0",
      max = "300",
      description =
          "How long a leader that is stopped keeps serving until the replica that follows it has"
              + " registered, in seconds; 0 hands nothing over")
  int hand_over_seconds() default 15;

  @AttributeDefinition(
      description =
          "A replica that stands by connects once, without registering, and is not ready before the"
              + " control plane has accepted that")
  boolean standby_check() default true;

  @AttributeDefinition(
      min = "33554432",
      max = "1073741824",
      description = "Longest message accepted from the peer, in bytes")
  long message_max_bytes() default 32L << 20;

  @AttributeDefinition(
      min = "65536",
      description = "Bytes that may wait to be sent, over all streams")
  long send_budget_bytes() default 4L << 20;

  @AttributeDefinition(min = "4096", description = "Bytes that may wait to be sent for one stream")
  long send_stream_bytes() default 256L << 10;

  @AttributeDefinition(
      min = "0",
      max = "3600",
      description =
          "How long a lost connection is taken up again where it was cut, if the hub offers that, in"
              + " seconds; 0 is never")
  int resume_seconds() default 60;

  @AttributeDefinition(
      min = "262144",
      max = "4194304",
      description =
          "Bytes that are kept until the hub has acknowledged them, to be sent again after a lost"
              + " connection; when they are used up, sending waits")
  long resume_max_bytes() default 2L << 20;

  @AttributeDefinition(
      description = "Whether a gateway may open streams (yamux); without them all goes as JSON")
  boolean yamux() default true;

  @AttributeDefinition(
      min = "1",
      max = "100000",
      description = "How many streams of the gateway may be open at a time; more are refused")
  int max_streams() default 4096;

  @AttributeDefinition(
      min = "262144",
      max = "16777216",
      description = "What the receive window of one stream may grow to, in bytes")
  int stream_window_bytes() default 4 << 20;

  @AttributeDefinition(
      min = "0",
      description =
          "Bytes that all streams together may hold unread; 0 means a quarter of the heap")
  long stream_memory_bytes() default 0;

  @AttributeDefinition(
      min = "0",
      description = "How long messages and streams wait for a feature that is away, in ms")
  long hold_millis() default 5_000;

  @AttributeDefinition(min = "0", description = "How many messages wait for features that are away")
  int hold_messages() default 256;

  @AttributeDefinition(
      min = "0",
      description = "How many bytes of messages wait for features that are away")
  long hold_bytes() default 4L << 20;
}
