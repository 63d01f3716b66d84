"""Column headings that are known to mean a field, whatever the fact: a first guess that a person sees and corrects."""

import re
import unicodedata
from collections.abc import Mapping

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "source_key": ("id", "主键", "编号", "单号", "流水号", "记录编号"),
    "occurred_at": ("time", "timestamp", "发生时间", "时间"),
    "source_updated_at": ("updated_at", "modified_at", "last_modified", "修改时间", "更新时间", "最后修改时间"),
    "employee_key": ("employee_id", "employee_no", "user_id", "工号", "员工编号", "员工工号", "业务员工号"),
    "org_key": ("department", "department_id", "shop", "store", "部门", "部门编号", "部门编码", "店铺", "门店"),
    "order_no": ("order_id", "order number", "订单号", "订单编号"),
    "order_key": ("order_id", "订单号", "订单编号"),
    "line_no": ("line", "行号", "明细行号", "order_item_id"),
    "status": ("state", "状态", "订单状态", "物流状态", "工单状态"),
    "stage": ("阶段", "商机阶段"),
    "currency": ("币种", "货币"),
    "amount_gross_minor": ("amount", "total", "total_amount", "金额", "总金额", "订单金额", "应付金额", "含税金额"),
    "amount_net_minor": ("net", "net_amount", "subtotal", "price", "净额", "不含税金额", "实付金额"),
    "amount_minor": ("amount", "payment_value", "金额", "付款金额", "收款金额"),
    "tax_minor": ("tax", "税额"),
    "discount_minor": ("discount", "优惠金额", "折扣"),
    "shipping_minor": ("shipping", "freight", "运费"),
    "cost_minor": ("cost", "成本"),
    "quantity": ("qty", "数量"),
    "order_date": ("date", "ordered_on", "下单日期", "订单日期"),
    "paid_at": ("paid", "payment_date", "付款时间", "支付时间"),
    "promised_on": ("promise_date", "承诺日期", "约定到货日期"),
    "promised_at": ("estimated_delivery", "承诺时间", "约定送达时间"),
    "channel": ("渠道", "来源渠道"),
    "customer_key": ("customer_id", "customer", "客户", "客户编号"),
    "sku": ("product_id", "product", "商品编码", "货号"),
    "category": ("类别", "品类", "分类"),
    "tracking_no": ("tracking_number", "waybill", "运单号", "快递单号", "物流单号"),
    "carrier_code": ("carrier", "承运商", "快递公司"),
    "delivered_at": ("delivered", "签收时间", "送达时间"),
    "shipped_on": ("shipped", "发货日期"),
    "picked_up_at": ("picked_up", "揽收时间"),
    "created_at": ("created", "opened_at", "创建时间", "提交时间"),
    "created_on": ("created", "创建日期"),
    "first_reply_at": ("first_response", "首次回复时间", "首次响应时间"),
    "solved_at": ("closed_at", "解决时间", "关闭时间"),
    "priority": ("优先级",),
    "csat": ("rating", "satisfaction", "满意度", "评分"),
    "occurred_on": ("date", "日期", "发生日期"),
    "responsibility": ("责任方", "责任归属"),
    "period": ("month", "期间", "月份"),
    "account": ("科目", "科目编码"),
    "planned_minor": ("budget", "plan", "预算金额", "预算"),
    "actual_minor": ("actual", "实际金额"),
    "posted_on": ("posting_date", "记账日期", "凭证日期"),
    "debit_minor": ("debit", "借方", "借方金额"),
    "credit_minor": ("credit", "贷方", "贷方金额"),
    "invoice_no": ("invoice", "发票号", "发票号码"),
    "invoice_date": ("开票日期",),
    "due_on": ("due_date", "到期日", "应付日期"),
    "starts_on": ("start_date", "开始日期", "合同开始日期"),
    "ends_on": ("end_date", "结束日期", "合同结束日期"),
    "joined_on": ("hire_date", "入职日期"),
    "left_on": ("leave_date", "离职日期"),
    "position": ("job_title", "岗位", "职位"),
    "course_key": ("course", "课程", "课程编号"),
    "score": ("成绩", "得分"),
    "passed": ("是否通过", "合格"),
    "punched_at": ("punch_time", "打卡时间", "刷卡时间"),
}


def plain(heading: str) -> str:
    """A heading without case, blanks, underlines and remarks in brackets."""
    text = unicodedata.normalize("NFKC", heading)
    return re.sub(r"[\s_*:\-]|\(.{0,40}?\)", "", text).lower()
