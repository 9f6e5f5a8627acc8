package io.pipeops.agent.protocol;

import io.pipeops.agent.api.link.JsonText;
import java.util.LinkedHashMap;
import java.util.Map;

/** Every payload parser by its type. */
final class Parsers {
  interface Parser {
    Payload parse(JsonText payload) throws ProtocolException;
  }

  static final Map<String, Parser> ALL = new LinkedHashMap<>();

  static {
    ALL.put(Register.TYPE, Register::parse);
    ALL.put(RegisterSuccess.TYPE, RegisterSuccess::parse);
    ALL.put(RegisterInProgress.TYPE, RegisterInProgress::parse);
    ALL.put(Heartbeat.TYPE, Heartbeat::parse);
    ALL.put(HeartbeatAck.TYPE, HeartbeatAck::parse);
    ALL.put(GatewayHello.TYPE, GatewayHello::parse);
    ALL.put(GatewayHelloAck.TYPE, GatewayHelloAck::parse);
    ALL.put(Ping.TYPE, Ping::parse);
    ALL.put(Pong.TYPE, Pong::parse);
    ALL.put(ErrorMessage.TYPE, ErrorMessage::parse);
    ALL.put(HandedOver.TYPE, HandedOver::parse);
    ALL.put(ProtocolFallback.TYPE, ProtocolFallback::parse);
    ALL.put(ProxyRequest.TYPE, ProxyRequest::parse);
    ALL.put(ProxyRequestChunk.TYPE, ProxyRequestChunk::parse);
    ALL.put(ProxyRequestStreamEnd.TYPE, ProxyRequestStreamEnd::parse);
    ALL.put(ProxyRequestWindow.TYPE, ProxyRequestWindow::parse);
    ALL.put(ProxyCancel.TYPE, ProxyCancel::parse);
    ALL.put(ProxyResponse.TYPE, ProxyResponse::parse);
    ALL.put(ProxyResponseHeader.TYPE, ProxyResponseHeader::parse);
    ALL.put(ProxyResponseChunk.TYPE, ProxyResponseChunk::parse);
    ALL.put(ProxyResponseEnd.TYPE, ProxyResponseEnd::parse);
    ALL.put(ProxyResponseAbort.TYPE, ProxyResponseAbort::parse);
    ALL.put(ProxyError.TYPE, ProxyError::parse);
    ALL.put(WebSocketStart.TYPE, WebSocketStart::parse);
    ALL.put(WebSocketData.TYPE, WebSocketData::parse);
    ALL.put(WebSocketClose.TYPE, WebSocketClose::parse);
    ALL.put(Backpressure.TYPE, Backpressure::parse);
    ALL.put(TcpTunnelStart.TYPE, TcpTunnelStart::parse);
    ALL.put(TcpTunnelData.TYPE, TcpTunnelData::parse);
    ALL.put(TcpTunnelClose.TYPE, TcpTunnelClose::parse);
    ALL.put(UdpTunnelData.TYPE, UdpTunnelData::parse);
    ALL.put(StreamIds.TYPE, StreamIds::parse);
  }

  private Parsers() {}
}
