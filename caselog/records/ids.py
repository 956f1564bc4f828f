"""The numbers of records, a type for each, so that one is never taken for another."""

from __future__ import annotations

from typing import NewType

ReportId = NewType("ReportId", int)
LeadId = NewType("LeadId", int)
SiteId = NewType("SiteId", int)
DecisionId = NewType("DecisionId", int)
CaseId = NewType("CaseId", int)
CaseChangeId = NewType("CaseChangeId", int)
RuleId = NewType("RuleId", int)
PageId = NewType("PageId", int)
ProposalId = NewType("ProposalId", int)
EvidenceId = NewType("EvidenceId", int)
HostingId = NewType("HostingId", int)
ReferralId = NewType("ReferralId", int)
NoticeId = NewType("NoticeId", int)
ReleaseId = NewType("ReleaseId", int)
DeliveryId = NewType("DeliveryId", int)
ReplyId = NewType("ReplyId", int)
CheckId = NewType("CheckId", int)
RevealId = NewType("RevealId", int)
QueryId = NewType("QueryId", int)
UserId = NewType("UserId", int)
