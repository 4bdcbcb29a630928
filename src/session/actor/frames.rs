//! Handles the client's frames, which come from [`Input`](crate::session::input::Input).

use actix_http::ws::{Frame as ClientFrame, ProtocolError};
use actix_web::web::Bytes;
use actix_web_actors::ws;

use actix::StreamHandler;

use super::{Context, SessionActor};
use crate::metrics::ConnectionEnd;
use crate::outbox::Frame;
use crate::session::input::payload_bytes;
use crate::session::protocol::{CloseReason, Incoming};
use crate::session::reassembler::{ReassemblyError, WholeMessage};

impl SessionActor {
    fn unfragmented(&mut self, message: WholeMessage, bytes: &Bytes, context: &mut Context) {
        let result = self.reassembler.check_unfragmented(bytes.len()).map(|()| Some(message));
        self.reassembled(result, context);
    }

    fn reassembled(&mut self, result: Result<Option<WholeMessage>, ReassemblyError>, context: &mut Context) {
        match result {
            Ok(Some(message)) => self.whole_message(message, context),
            Ok(None) => {}
            Err(ReassemblyError::TooLarge) => self.fail(CloseReason::MessageTooLarge, context),
            Err(ReassemblyError::OutOfOrder) => self.fail(CloseReason::ProtocolError, context),
        }
    }

    fn whole_message(&mut self, message: WholeMessage, context: &mut Context) {
        match message {
            WholeMessage::Binary(bytes) => self.incoming(Incoming::Binary(&bytes), context),
            WholeMessage::Text(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.incoming(Incoming::Text(text), context),
                Err(_) => self.fail(CloseReason::InvalidUtf8, context),
            },
        }
    }

    fn incoming(&mut self, incoming: Incoming<'_>, context: &mut Context) {
        self.services.metrics.dialect(self.outbox.address().dialect()).commands.inc();
        let actions = self.state.message_received(incoming, self.services.clock.now());
        self.carry_out(actions, context);
    }

    fn fail(&mut self, reason: CloseReason, context: &mut Context) {
        let actions = self.state.close_because(reason, self.services.clock.now());
        self.carry_out(actions, context);
    }
}

impl StreamHandler<Result<ClientFrame, ProtocolError>> for SessionActor {
    fn handle(&mut self, item: Result<ClientFrame, ProtocolError>, context: &mut Context) {
        let now = self.services.clock.now();
        if let Ok(frame) = &item {
            self.state.frame_received(payload_bytes(frame), now);
        }
        match item {
            Ok(ClientFrame::Text(bytes)) => self.unfragmented(WholeMessage::Text(bytes.clone()), &bytes, context),
            Ok(ClientFrame::Binary(bytes)) => self.unfragmented(WholeMessage::Binary(bytes.clone()), &bytes, context),
            Ok(ClientFrame::Continuation(item)) => {
                let result = self.reassembler.add(item);
                self.reassembled(result, context);
            }
            Ok(ClientFrame::Ping(payload)) => self.outbox.reply(&[Frame::pong(&payload)]),
            Ok(ClientFrame::Pong(_)) => {}
            Ok(ClientFrame::Close(reason)) => {
                self.record_end(ConnectionEnd::Client);
                let actions = self.state.client_closed(reason.map(|reason| reason.code.into()), now);
                self.carry_out(actions, context);
            }
            Err(ProtocolError::Overflow) => self.fail(CloseReason::MessageTooLarge, context),
            Err(_) => self.fail(CloseReason::ProtocolError, context),
        }
        self.update_input_gate();
    }

    /// Ends the session: the client sends nothing more, so the connection is gone.
    fn finished(&mut self, context: &mut Context) {
        let actions = self.state.stop();
        self.carry_out(actions, context);
    }
}

/// The WebSocket context reads a stream of its own. That stream is empty, and its end is not the client's.
impl StreamHandler<Result<ws::Message, ProtocolError>> for SessionActor {
    fn handle(&mut self, _: Result<ws::Message, ProtocolError>, _: &mut Context) {}

    fn finished(&mut self, _: &mut Context) {}
}
