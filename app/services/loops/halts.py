"""Halt deployments whose strategies misbehave, and tell people why."""

from app.db.loops import halt_deployment
from app.db.session import Database
from app.domain.deployments import Deployment
from app.domain.ports import Clock
from app.services.news import News
